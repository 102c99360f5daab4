//! Answers: M', sealed under a key that fits one request only.

use std::fmt;

use crypto_box::aead::rand_core::CryptoRngCore;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{PairKeys, Rid, json, padding};
use crate::UnixSecond;
use crate::classic::ValueBody;
use crate::encoding::decode_url;
use crate::error::{DecodeError, ErrorCode};
use crate::json_object::object;
use crate::sealing::{NONCE, TAG};

/// The most levels of an answer, where the JSON reader itself stops.
const MAX_ANSWER_DEPTH: usize = 127;
/// The most levels of a function's value, which the answer is around.
pub const MAX_VALUE_DEPTH: usize = MAX_ANSWER_DEPTH - 1;

/// What the server tells a proven caller.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The server's clock.
    pub ts: UnixSecond,
    /// The request id of the server's log.
    pub req: String,
    /// The function's value, or why there is none.
    pub outcome: Result<Value, Failure>,
}

/// Why a proven call brought no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, for programs.
    pub code: FailureCode,
    /// The same for people.
    pub message: String,
    /// With `clock_skew`: the first second that would be accepted.
    pub not_before: Option<UnixSecond>,
}

/// A code of ours, or one that a newer server sends and this program does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureCode {
    /// One of the table.
    Known(ErrorCode),
    /// Another name.
    Unknown(String),
}

impl From<ErrorCode> for FailureCode {
    fn from(code: ErrorCode) -> Self {
        Self::Known(code)
    }
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(code) => code.fmt(f),
            Self::Unknown(name) => f.write_str(name),
        }
    }
}

impl Answer {
    fn to_json(&self, rid: &Rid) -> Vec<u8> {
        #[derive(Serialize)]
        struct Members<'a> {
            rid: String,
            ts: UnixSecond,
            req: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            value: Option<&'a Value>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<Value>,
        }
        let members = Members {
            rid: rid.to_string(),
            ts: self.ts,
            req: &self.req,
            value: self.outcome.as_ref().ok(),
            error: self.outcome.as_ref().err().map(Failure::to_json),
        };
        // Room for what most answers are, padding included; members of these types always have a JSON form.
        let mut json = Vec::with_capacity(512);
        let _always = serde_json::to_writer(&mut json, &members);
        json
    }

    pub(super) fn from_json(text: &str, rid: &Rid) -> Result<Self, DecodeError> {
        let Value::Object(mut members) = json::parse(text, MAX_ANSWER_DEPTH)? else {
            return Err(DecodeError::Json);
        };
        let named = members.get("rid").and_then(Value::as_str).ok_or(DecodeError::Json)?;
        if Rid::parse(named)? != *rid {
            return Err(DecodeError::Sealed);
        }
        let outcome = match (members.remove("value"), members.remove("error")) {
            (Some(value), None) => Ok(value),
            (None, Some(Value::Object(error))) => Err(Failure::from_json(&error)?),
            _ => return Err(DecodeError::Json),
        };
        Ok(Self {
            ts: members.get("ts").and_then(Value::as_u64).ok_or(DecodeError::Json)?,
            req: members.get("req").and_then(Value::as_str).ok_or(DecodeError::Json)?.to_owned(),
            outcome,
        })
    }
}

impl Failure {
    fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code.to_string(), "message": self.message});
        if let (Some(not_before), Value::Object(members)) = (self.not_before, &mut error) {
            members.insert("not_before".to_owned(), not_before.into());
        }
        error
    }

    fn from_json(error: &Map<String, Value>) -> Result<Self, DecodeError> {
        let code = error.get("code").and_then(Value::as_str).ok_or(DecodeError::Json)?;
        let code = ErrorCode::from_name(code)
            .map_or_else(|| FailureCode::Unknown(code.to_owned()), FailureCode::Known);
        let message = error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Self { code, message, not_before: error.get("not_before").and_then(Value::as_u64) })
    }
}

impl PairKeys {
    /// Makes the body of the answer to one request, on the server's side.
    pub fn seal_answer(&self, rid: &Rid, answer: &Answer, rng: &mut impl CryptoRngCore) -> String {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        self.seal_answer_from(rid, answer, nonce)
    }

    /// Makes the body of an answer with a given nonce, for known-answer vectors.
    #[must_use]
    pub fn seal_answer_from(&self, rid: &Rid, answer: &Answer, nonce: [u8; NONCE]) -> String {
        let mut plain = answer.to_json(rid);
        padding::pad(&mut plain);
        ValueBody::sealed(&self.answer_key(rid), &nonce, &plain)
    }

    /// Opens the answer to one request, on the client's side.
    ///
    /// # Errors
    /// [`DecodeError::Sealed`] when it is not the server's answer to this request, else what is wrong with it.
    pub fn open_answer(&self, rid: &Rid, body: &[u8]) -> Result<Answer, DecodeError> {
        let body: ValueBody = object(body)?;
        let bytes = decode_url(&body.value)?;
        let (nonce, boxed) = bytes.split_first_chunk::<NONCE>().ok_or(DecodeError::Size)?;
        if boxed.len() < TAG {
            return Err(DecodeError::Size);
        }
        // An answer has no largest size here: the client limits what it receives.
        let plain = self.answer_key(rid).open(nonce, boxed).ok_or(DecodeError::Sealed)?;
        Answer::from_json(std::str::from_utf8(&plain).map_err(|_| DecodeError::Utf8)?, rid)
    }
}
