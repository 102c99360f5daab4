//! The messages without their seals, for `crates/fuzz` alone: any bytes get past a reader's cheap part only.

use super::{Answer, Message, RequestParts, Rid};
use crate::error::DecodeError;

/// Reads M.
///
/// # Errors
/// What [`Outer::message`](super::Outer::message) says of it.
pub fn message(text: &str) -> Result<Message, DecodeError> {
    Message::parse(text)
}

/// Writes M, padded.
///
/// # Errors
/// What [`PairKeys::request`](super::PairKeys::request) says of it.
pub fn message_text(parts: &RequestParts<'_>) -> Result<Vec<u8>, DecodeError> {
    parts.message().map(|message| message.to_vec())
}

/// Reads M'.
///
/// # Errors
/// What [`PairKeys::open_answer`](super::PairKeys::open_answer) says of it.
pub fn answer(text: &str, rid: &Rid) -> Result<Answer, DecodeError> {
    Answer::from_json(text, rid)
}
