//! What a `POST /v1` carries: one of the two shapes.

use serde::Deserialize;

use crate::classic::{Request, Value};
use crate::encoding;
use crate::error::DecodeError;

/// A body, told apart by its members.
#[derive(Debug)]
pub enum Body {
    /// The four values of the classic shape.
    Classic(Box<Request>),
    /// The sealed bytes of the envelope shape.
    Envelope(Vec<u8>),
}

/// The members that matter; others are ignored, doubles of these refused.
#[derive(Deserialize)]
struct Members {
    #[serde(default, deserialize_with = "present")]
    sealed: Option<serde_json::Value>,
    id: Option<serde_json::Value>,
    check: Option<serde_json::Value>,
    ts: Option<serde_json::Value>,
    entry: Option<serde_json::Value>,
}

/// Keeps a `null` apart from a missing member: a body with `sealed` is never read as classic.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<serde_json::Value>, D::Error> {
    serde_json::Value::deserialize(deserializer).map(Some)
}

impl Body {
    /// Reads a body. A body with a member `sealed` is never read as classic.
    ///
    /// # Errors
    /// [`DecodeError::Json`], [`DecodeError::Base64`] or [`DecodeError::Size`].
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let members: Members = object(body)?;
        if let Some(sealed) = members.sealed {
            return encoding::decode_url(text(Some(&sealed))?).map(Self::Envelope);
        }
        let value = |member: Option<&serde_json::Value>| Value::parse(text(member)?);
        Ok(Self::Classic(Box::new(Request {
            id: value(members.id.as_ref())?,
            check: value(members.check.as_ref())?,
            ts: value(members.ts.as_ref())?,
            entry: value(members.entry.as_ref())?,
        })))
    }
}

/// Reads a JSON object; serde alone would take a list of its values for one too.
pub(crate) fn object<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, DecodeError> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return Err(DecodeError::Json);
    }
    serde_json::from_slice(json).map_err(|_| DecodeError::Json)
}

fn text(member: Option<&serde_json::Value>) -> Result<&str, DecodeError> {
    member.and_then(serde_json::Value::as_str).ok_or(DecodeError::Json)
}
