//! What strangers send: garbage, boxes of keys that nobody registered, and what was accepted before.

use std::cell::RefCell;

use msp_protocol::envelope::{PairKeys, RequestParts, Rid};
use msp_protocol::sealing::BoxKey;
use msp_protocol::{FunctionName, OsRng, PrivateKey, PublicKey, RngCore as _, Secret, classic};

use super::calls::{Ticket, spread};
use super::{Calls, Traffic};
use crate::{Failure, http};

/// What kind of garbage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Rubbish {
    /// Well-formed classic requests of a key that nobody registered.
    Classic,
    /// Well-formed envelopes of a key that nobody registered.
    Envelope,
    /// Bytes that are no request.
    Noise,
    /// Each of the three in turn.
    Mixed,
}

/// Requests that must all be refused.
#[derive(Debug)]
pub(crate) struct Garbage {
    kind: Rubbish,
    classic: Vec<String>,
    envelope: Vec<String>,
    noise: String,
    /// Addresses it comes from, said in `X-Forwarded-For`; none leaves the connection's own.
    addresses: Option<u32>,
}

/// Different requests of each kind; garbage need not be fresh.
const VARIETY: usize = 64;

impl Garbage {
    pub(crate) fn new(
        server: &PublicKey,
        kind: Rubbish,
        addresses: Option<u32>,
        ts: u64,
    ) -> Result<Self, Failure> {
        let (key, secret) = (PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng));
        let entry: FunctionName = "time_test".parse()?;
        let boxed = BoxKey::agree(&key, server);
        let pair = PairKeys::of_client(&key, server).ok_or("the server's key agrees on nothing")?;
        let classic = (0..VARIETY).map(|_| classic::Request::build(&boxed, &secret, ts, &entry, &mut OsRng));
        let envelope = (0..VARIETY).map(|_| {
            let rid = Rid::generate(&mut OsRng);
            let parts = RequestParts { secret: &secret, ts, entry: &entry, rid: &rid, args: None };
            pair.request(&parts, &mut OsRng)
        });
        let mut noise = [0; 300];
        OsRng.fill_bytes(&mut noise);
        Ok(Self {
            kind,
            classic: classic.collect(),
            envelope: envelope.collect::<Result<_, _>>()?,
            noise: format!("{{\"id\":\"{}\"}}", msp_protocol::encoding::encode_url(&noise)),
            addresses,
        })
    }

    fn body(&self, n: u64) -> &str {
        let kind = match (self.kind, n % 3) {
            (Rubbish::Mixed, 0) => Rubbish::Classic,
            (Rubbish::Mixed, 1) => Rubbish::Envelope,
            (Rubbish::Mixed, _) => Rubbish::Noise,
            (kind, _) => kind,
        };
        let bodies = match kind {
            Rubbish::Classic => &self.classic,
            Rubbish::Envelope => &self.envelope,
            Rubbish::Noise | Rubbish::Mixed => return &self.noise,
        };
        bodies.get(n as usize % VARIETY).map_or("", String::as_str)
    }
}

impl Traffic for Garbage {
    type Ticket = ();

    fn request(&self, n: u64, to: &mut Vec<u8>) -> Result<(), Failure> {
        let address = self.addresses.map(|count| spread(0x2d00_0000, n % u64::from(count.max(1))));
        http::post(to, "/v1", address, self.body(n).as_bytes());
        Ok(())
    }

    fn check(&self, (): (), status: u16, body: &[u8]) -> Result<(), Failure> {
        refused(status, body)
    }
}

fn refused(status: u16, body: &[u8]) -> Result<(), Failure> {
    if status == 401 && body.is_empty() {
        Ok(())
    } else {
        Err(format!("not refused: status {status}").into())
    }
}

/// Calls, each sent a second time once it was accepted.
pub(crate) struct Replays {
    calls: Calls,
    accepted: RefCell<Vec<String>>,
}

impl Replays {
    pub(crate) const fn of(calls: Calls) -> Self {
        Self { calls, accepted: RefCell::new(Vec::new()) }
    }
}

/// The first sending is answered, the second one is not.
pub(crate) enum Sending {
    First(Ticket, String),
    Second,
}

impl Traffic for Replays {
    type Ticket = Sending;

    fn request(&self, n: u64, to: &mut Vec<u8>) -> Result<Sending, Failure> {
        if let Some(body) = self.accepted.borrow_mut().pop() {
            http::post(to, "/v1", None, body.as_bytes());
            return Ok(Sending::Second);
        }
        let (ticket, body) = self.calls.body(n)?;
        http::post(to, "/v1", None, body.as_bytes());
        Ok(Sending::First(ticket, body))
    }

    fn check(&self, ticket: Sending, status: u16, body: &[u8]) -> Result<(), Failure> {
        match ticket {
            Sending::First(ticket, sent) => {
                self.calls.check(ticket, status, body)?;
                self.accepted.borrow_mut().push(sent);
                Ok(())
            }
            Sending::Second => refused(status, body),
        }
    }
}
