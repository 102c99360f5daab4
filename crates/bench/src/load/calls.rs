//! Fresh, valid calls of registered clients in both shapes.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use msp_core::clock::Clock;
use msp_protocol::envelope::{PairKeys, RequestParts, Rid};
use msp_protocol::sealing::BoxKey;
use msp_protocol::{FunctionName, OsRng, PublicKey, classic};

use super::Traffic;
use crate::population::Member;
use crate::{Failure, http};

/// How requests are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// Four boxes.
    Classic,
    /// One sealed message.
    Envelope,
}

/// Which address a call comes from, said in `X-Forwarded-For`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addresses {
    /// The connection's own.
    Socket,
    /// One of each client's own.
    PerClient,
    /// Another with each request, never seen before; the number of the first.
    Fresh(u64),
}

impl Addresses {
    fn of(self, client: usize, n: u64) -> Option<IpAddr> {
        match self {
            Self::Socket => None,
            Self::PerClient => Some(spread(0x0a00_0000, client as u64)),
            Self::Fresh(first) => Some(spread(0x1400_0000, first + n)),
        }
    }
}

/// The address `n` places after a base.
pub(crate) fn spread(base: u32, n: u64) -> IpAddr {
    Ipv4Addr::from_bits(base.wrapping_add((n & 0x00ff_ffff) as u32)).into()
}

/// A client with the keys it shares with the server.
struct Caller {
    member: Member,
    boxed: BoxKey,
    pair: PairKeys,
}

/// Calls of the clients in turn.
pub(crate) struct Calls {
    callers: Vec<Caller>,
    shape: Shape,
    function: FunctionName,
    addresses: Addresses,
    clock: Arc<dyn Clock>,
}

/// What opens the answer of a call.
pub(crate) enum Ticket {
    Classic { caller: usize },
    Envelope { caller: usize, rid: Rid },
}

impl Calls {
    /// Calls of the clients `0..clients` to a function that returns text.
    pub(crate) fn new(
        server: &PublicKey,
        clients: usize,
        (shape, function): (Shape, &str),
        addresses: Addresses,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Failure> {
        let caller = |number| {
            let member = Member::of(number)?;
            let pair =
                PairKeys::of_client(&member.key, server).ok_or("the server's key agrees on nothing")?;
            Ok(Caller { boxed: BoxKey::agree(&member.key, server), pair, member })
        };
        let callers = (0..clients).map(caller).collect::<Result<_, Failure>>()?;
        Ok(Self { callers, shape, function: function.parse()?, addresses, clock })
    }

    /// A body of the `n`-th call, and what opens its answer.
    pub(crate) fn body(&self, n: u64) -> Result<(Ticket, String), Failure> {
        let number = (n % self.callers.len().max(1) as u64) as usize;
        let caller = self.callers.get(number).ok_or("no clients")?;
        let (ts, secret) = (self.clock.unix(), &caller.member.secret);
        match self.shape {
            Shape::Classic => {
                let body = classic::Request::build(&caller.boxed, secret, ts, &self.function, &mut OsRng);
                Ok((Ticket::Classic { caller: number }, body))
            }
            Shape::Envelope => {
                let rid = Rid::generate(&mut OsRng);
                let parts = RequestParts { secret, ts, entry: &self.function, rid: &rid, args: None };
                Ok((Ticket::Envelope { caller: number, rid }, caller.pair.request(&parts, &mut OsRng)?))
            }
        }
    }

    fn caller(&self, number: usize) -> Result<&Caller, Failure> {
        self.callers.get(number).ok_or_else(|| "no such client".into())
    }
}

impl Traffic for Calls {
    type Ticket = Ticket;

    fn request(&self, n: u64, to: &mut Vec<u8>) -> Result<Ticket, Failure> {
        let (ticket, body) = self.body(n)?;
        let (Ticket::Classic { caller } | Ticket::Envelope { caller, .. }) = &ticket;
        http::post(to, "/v1", self.addresses.of(*caller, n), body.as_bytes());
        Ok(ticket)
    }

    fn check(&self, ticket: Ticket, status: u16, body: &[u8]) -> Result<(), Failure> {
        if status != 200 {
            return Err(format!("status {status}").into());
        }
        match ticket {
            Ticket::Classic { caller } => {
                classic::open_reply(&self.caller(caller)?.boxed, body)?;
            }
            Ticket::Envelope { caller, rid } => {
                let answer = self.caller(caller)?.pair.open_answer(&rid, body)?;
                answer.outcome.map_err(|failure| failure.message)?;
            }
        }
        Ok(())
    }
}

/// Calls that were made before they are sent, so that making them takes nothing from the server meanwhile.
pub(crate) struct Prepared {
    calls: Calls,
    ready: RefCell<Vec<(Ticket, String)>>,
}

impl Prepared {
    /// Makes this many calls; they are good as long as RequestTTL.
    pub(crate) fn of(calls: Calls, count: u64) -> Result<Self, Failure> {
        let ready = (0..count).map(|n| calls.body(n)).collect::<Result<_, _>>()?;
        Ok(Self { calls, ready: RefCell::new(ready) })
    }
}

impl Traffic for Prepared {
    type Ticket = Ticket;

    fn request(&self, n: u64, to: &mut Vec<u8>) -> Result<Ticket, Failure> {
        let made = self.ready.borrow_mut().pop();
        let (ticket, body) = made.map_or_else(|| self.calls.body(n), Ok)?;
        http::post(to, "/v1", None, body.as_bytes());
        Ok(ticket)
    }

    fn check(&self, ticket: Ticket, status: u16, body: &[u8]) -> Result<(), Failure> {
        self.calls.check(ticket, status, body)
    }
}
