//! The reader of a worker's frames and answers, for `crates/fuzz` alone.

use msp_core::{FunctionLimits, RunError};
use serde_json::Value;

use super::modules::serving;
use super::process::frame::{self, ReadBuffer};

/// Appends one frame, as a worker would write it.
pub fn append(frames: &mut Vec<u8>, id: u64, body: &[u8]) {
    frame::append(frames, id, body);
}

/// Takes all frames out of bytes that come in pieces; true when one was longer than `limit`, which ends it.
pub fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, limit: usize) -> (Vec<(u64, Vec<u8>)>, bool) {
    let (mut input, mut frames) = (ReadBuffer::default(), Vec::new());
    for piece in pieces {
        input.buffer().extend_from_slice(piece);
        loop {
            match input.take(limit) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

/// Reads the body of an answer.
///
/// # Errors
/// The [`RunError`] that the body tells or is.
pub fn understand(body: Vec<u8>, limits: &FunctionLimits) -> Result<Value, RunError> {
    serving::understand(body, limits)
}
