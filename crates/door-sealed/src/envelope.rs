//! The envelope shape: one authenticated message.

use actix_web::http::StatusCode;
use msp_core::{Access, CallRefusal, Input, Item, Output, RunError};
use msp_protocol::envelope::{Answer, BEYOND_64_BITS, Failure, Message, Outer, PairKeys, Rid};
use msp_protocol::{DecodeError, Digest, ErrorCode, OsRng};
use serde_json::Value;

use crate::clients::Entry;
use crate::proof::{Claim, Refused};
use crate::replies::{self, EnvelopeReplies, failure};
use crate::{Incoming, Outcome, Sealed};

pub(crate) async fn answer(door: &Sealed, incoming: &Incoming, sealed: &[u8]) -> Outcome {
    let outer = match Outer::open(&door.key, sealed) {
        Ok(outer) => outer,
        Err(error) => {
            door.refuse_malformed(incoming, error).await;
            return Outcome::Refused;
        }
    };
    let directory = door.clients.load_full();
    let entry = directory.by_key(&outer.client);
    // A stranger's message is tried against a key that opens nothing, so that it costs the same.
    let pair = entry.and_then(|entry| entry.pair(&door.key)).unwrap_or(&door.dummy);
    let message = outer.message(pair);
    let (entry, message) = match (entry.cloned(), message) {
        (Some(entry), Ok(message)) => (entry, message),
        (_, Err(error)) => {
            door.refuse_malformed(incoming, error).await;
            return Outcome::Refused;
        }
        (None, Ok(_)) => {
            door.refuse_malformed(incoming, DecodeError::Sealed).await;
            return Outcome::Refused;
        }
    };
    let Message { secret, ts, entry: function, rid, args, exact } = message;
    let claim = Claim { items: vec![item(&rid, &entry.digest)], entry, secret, ts };
    let sealer = Sealer { door, incoming, pair, rid };
    if let Err(refused) = door.prove(incoming, &claim, &directory).await {
        return sealer.refuse(&claim.entry, refused).await;
    }
    let caller = incoming.caller(&claim.entry, Access::Write);
    let replies = EnvelopeReplies { longest: incoming.settings.limits.answer };
    let called = if exact {
        door.calls.call(&caller, &function, Input::args(args), &replies).await
    } else {
        let unfit = CallRefusal::Run(RunError::BadArguments(BEYOND_64_BITS.to_owned()));
        Err(door.calls.refuse(&caller, &function, unfit, &replies))
    };
    match called {
        Ok(Output::Value(value)) => sealer.seal(StatusCode::OK, Ok(value)),
        Ok(Output::Response(_)) => {
            sealer.seal(StatusCode::OK, Err(replies::plain(ErrorCode::FunctionFailed)))
        }
        Err(refusal) => sealer.seal(StatusCode::OK, Err(failure(&refusal))),
    }
}

/// A `rid` counts within its client only: the digest's first 8 bytes complete it.
fn item(rid: &Rid, client: &Digest) -> Item {
    let mut item = [0; 24];
    for (to, from) in item.iter_mut().zip(rid.as_bytes().iter().chain(client.as_bytes())) {
        *to = *from;
    }
    item
}

/// Seals answers to one request.
struct Sealer<'a> {
    door: &'a Sealed,
    incoming: &'a Incoming,
    pair: &'a PairKeys,
    rid: Rid,
}

impl Sealer<'_> {
    fn seal(&self, status: StatusCode, outcome: Result<Value, Failure>) -> Outcome {
        let answer = Answer { ts: self.door.clock.unix(), req: self.incoming.id.to_string(), outcome };
        Outcome::Answer(status, self.pair.seal_answer(&self.rid, &answer, &mut OsRng))
    }

    /// Answers a request that a registered key opened and that is refused all the same.
    async fn refuse(&self, entry: &Entry, refused: Refused) -> Outcome {
        let (answer, reason, outcome) = match refused {
            Refused::Unproven(reason) => {
                self.door.note_failure(self.incoming).await;
                ("401", reason, Outcome::Refused)
            }
            Refused::Skewed { tell: false, reason, .. } => ("401", reason, Outcome::Refused),
            Refused::Skewed { not_before, tell: true, reason } => {
                let outcome = self.seal(StatusCode::UNAUTHORIZED, Err(replies::clock_skew(not_before)));
                ("clock_skew", reason, outcome)
            }
            Refused::Closed(code, reason) => {
                (code.as_str(), reason, self.seal(StatusCode::OK, Err(replies::plain(code))))
            }
            Refused::Limited(reason) => {
                ("busy", reason, self.seal(StatusCode::OK, Err(replies::plain(ErrorCode::Busy))))
            }
        };
        self.door.refuse(self.incoming, Some(entry), answer, &reason);
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_cannot_use_up_the_rid_of_another() {
        let rid = Rid::generate(&mut OsRng);
        assert_ne!(item(&rid, &Digest::of(b"a")), item(&rid, &Digest::of(b"b")));
    }
}
