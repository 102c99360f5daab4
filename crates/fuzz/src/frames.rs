//! The frames of a worker: however the stream is cut, it means the same, and nothing in it takes more than it may.

use std::time::Duration;

use msp_core::{FunctionLimits, RunError};
use msp_protocol::envelope::{Answer, Rid};
use msp_runners::fuzzing::{append, frames, understand};
use serde_json::Value;

use crate::bounded;
use crate::envelope::check_sealed_answer;
use crate::input::Input;

/// The longest message about a failure, in bytes as they come; escaped, each may become a few characters.
const MESSAGE: usize = 16 * 1024;

/// Four bytes say limits and cuts, the first whether the rest is a stream or bodies to make one of.
pub(crate) fn check(data: &[u8]) {
    let mut input = Input(data);
    let [how, limit, cut, max_output] = input.array();
    let (limit, max_output) = (usize::from(limit), usize::from(max_output));
    let mut stream = Vec::new();
    if how & 1 == 0 {
        stream.extend_from_slice(input.0);
    } else {
        let mut bodies = Vec::new();
        while !input.0.is_empty() {
            let (id, body) = (u64::from_be_bytes(input.array()), input.part());
            append(&mut stream, id, body);
            bodies.push((id, body.to_vec()));
        }
        assert_eq!(frames([stream.as_slice()], 255), (bodies, false));
    }
    let (taken, too_long) = bounded(&stream, || frames([stream.as_slice()], limit));
    let cut = stream.chunks(1 + usize::from(cut)).collect::<Vec<_>>();
    assert_eq!(bounded(&stream, || frames(cut, limit)), (taken.clone(), too_long));
    let mut again = Vec::new();
    taken.iter().for_each(|(id, body)| append(&mut again, *id, body));
    let Some(rest) = stream.strip_prefix(again.as_slice()) else { panic!("{taken:?} is not what came") };
    assert_eq!(too_long, announced(rest).is_some_and(|length| length > limit));
    assert!(too_long || rest.len() < 12 + limit);
    for (_, body) in taken {
        check_answer(body, max_output);
    }
}

/// The length that the next frame says it has, when its head has come.
fn announced(rest: &[u8]) -> Option<usize> {
    let length = rest.first_chunk::<4>().filter(|_| rest.len() >= 12)?;
    usize::try_from(u32::from_be_bytes(*length)).ok()
}

fn check_answer(body: Vec<u8>, max_output: usize) {
    let limits = FunctionLimits { timeout: Duration::from_secs(1), max_output, ..FunctionLimits::default() };
    let bytes = body.clone();
    let kind = body.first().copied();
    match bounded(&bytes, || understand(body, &limits)) {
        Ok(value) => {
            assert!(bytes.len() <= 1 + max_output);
            match (kind, &value) {
                (Some(b'T'), Value::String(text)) => assert_eq!(bytes.get(1..), Some(text.as_bytes())),
                (Some(b'V'), _) => {}
                (kind, value) => panic!("{kind:?} gave {value}"),
            }
            // What a function may answer reaches its caller.
            let answer = Answer { ts: 1, req: String::new(), outcome: Ok(value) };
            check_sealed_answer(&Rid::from_bytes([0; 16]), &answer);
        }
        Err(RunError::BadArguments(message) | RunError::Crashed(message) | RunError::Failed(message)) => {
            assert!(message.len() <= 8 * MESSAGE && !message.contains(char::is_control), "{message:?}");
        }
        Err(RunError::TooLarge | RunError::Timeout | RunError::Busy) => {}
    }
}
