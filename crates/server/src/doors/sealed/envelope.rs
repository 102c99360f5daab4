//! The envelope shape: one authenticated message.

use actix_web::http::StatusCode;
use msp_core::{CallError, Guard as _, Item, Shape};
use msp_protocol::envelope::{Answer, Failure, Message, Outer, PairKeys, Rid};
use msp_protocol::{DecodeError, Digest, OsRng};
use serde_json::Value;

use super::proof::{Claim, Refused};
use super::{Incoming, Outcome};
use crate::access::Access;
use crate::directory::Entry;
use crate::peer::Peer;
use crate::problem::{BEYOND_64_BITS, CallRefusal, clock_skew, closed};
use crate::state::State;

pub(super) async fn answer(state: &State, incoming: &Incoming, sealed: &[u8]) -> Outcome {
    let outer = match Outer::open(&state.key, sealed) {
        Ok(outer) => outer,
        Err(error) => {
            state.refuse_malformed(incoming, error);
            return Outcome::Refused;
        }
    };
    let directory = state.directory.load_full();
    let entry = directory.by_key(&outer.client);
    // A stranger's message is tried against a key that opens nothing, so that it costs the same.
    let pair = entry.and_then(|entry| entry.pair(&state.key)).unwrap_or(&state.dummy);
    let message = outer.message(pair);
    let (entry, message) = match (entry.cloned(), message) {
        (Some(entry), Ok(message)) => (entry, message),
        (_, Err(error)) => {
            state.refuse_malformed(incoming, error);
            return Outcome::Refused;
        }
        (None, Ok(_)) => {
            state.refuse_malformed(incoming, DecodeError::Sealed);
            return Outcome::Refused;
        }
    };
    let Message { secret, ts, entry: function, rid, args, exact } = message;
    let claim = Claim { items: vec![item(&rid, &entry.digest)], entry, secret, ts };
    let sealer = Sealer { state, incoming, pair, rid };
    if let Err(refused) = state.prove(&claim, &directory).await {
        return sealer.refuse(&claim.entry, refused);
    }
    let caller = state.caller(incoming, &claim.entry, Shape::Envelope);
    let access = Access::begin(&*state.clock, &caller, || Some(claim.entry.label()), &function);
    let called = match exact {
        true => state.run(&caller, &function, args).await,
        false => Err(CallRefusal::Call(CallError::BadArguments(BEYOND_64_BITS.to_owned()))),
    };
    let refusal = match called {
        Ok(value) => match sealer.seal_value(value) {
            Ok(outcome) => {
                access.end("ok");
                return outcome;
            }
            Err(refusal) => refusal,
        },
        Err(refusal) => refusal,
    };
    let outcome = sealer.seal(StatusCode::OK, Err(refusal.failure()));
    access.end(refusal.code().as_str());
    state.refuse(incoming, Some(claim.entry.label()), refusal.code().as_str(), refusal.reason(&function));
    outcome
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
    state: &'a State,
    incoming: &'a Incoming,
    pair: &'a PairKeys,
    rid: Rid,
}

impl Sealer<'_> {
    fn seal_value(&self, value: Value) -> Result<Outcome, CallRefusal> {
        let limit = self.state.settings.load().limits.answer;
        if json_size(&value, limit) > limit {
            return Err(CallRefusal::AnswerTooLarge);
        }
        Ok(self.seal(StatusCode::OK, Ok(value)))
    }

    fn seal(&self, status: StatusCode, outcome: Result<Value, Failure>) -> Outcome {
        let answer = Answer { ts: self.state.clock.unix(), req: self.incoming.id.to_string(), outcome };
        Outcome::Answer(status, self.pair.seal_answer(&self.rid, &answer, &mut OsRng))
    }

    /// Answers a request that a registered key opened and that is refused all the same.
    fn refuse(&self, entry: &Entry, refused: Refused) -> Outcome {
        let (answer, reason, outcome) = match refused {
            Refused::Unproven(reason) => {
                let Peer { address, is_hop, .. } = self.incoming.peer;
                self.state.guard.note_failure(address, is_hop, Some(&entry.digest));
                ("401", reason, Outcome::Refused)
            }
            Refused::Skewed { tell: false, reason, .. } => ("401", reason, Outcome::Refused),
            Refused::Skewed { not_before, tell: true, reason } => {
                let outcome = self.seal(StatusCode::UNAUTHORIZED, Err(clock_skew(not_before)));
                ("clock_skew", reason, outcome)
            }
            Refused::Closed(code, reason) => {
                (code.as_str(), reason, self.seal(StatusCode::OK, Err(closed(code))))
            }
            Refused::Limited(reason) => {
                let refusal = CallRefusal::Limited(reason.clone());
                ("busy", reason, self.seal(StatusCode::OK, Err(refusal.failure())))
            }
        };
        self.state.refuse(self.incoming, Some(entry.label()), answer, reason);
        outcome
    }
}

/// The size of the value as JSON; counting stops beyond the limit.
fn json_size(value: &Value, limit: usize) -> usize {
    struct Counter {
        size: usize,
        limit: usize,
    }
    impl std::io::Write for Counter {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.size += bytes.len();
            if self.size > self.limit { Err(std::io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut counter = Counter { size: 0, limit };
    let _stopped_at_the_limit = serde_json::to_writer(&mut counter, value);
    counter.size
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_size_of_a_value_is_that_of_its_json_up_to_the_limit() {
        assert_eq!(json_size(&json!({"a": "ü"}), 100), r#"{"a":"ü"}"#.len());
        assert!(json_size(&json!("x".repeat(1000)), 100) > 100);
    }

    #[test]
    fn one_client_cannot_use_up_the_rid_of_another() {
        let rid = Rid::generate(&mut OsRng);
        assert_ne!(item(&rid, &Digest::of(b"a")), item(&rid, &Digest::of(b"b")));
    }
}
