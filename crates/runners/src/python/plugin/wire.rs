//! Calls and answers as they travel between the server and a host.
//!
//! A call is u32 length of its head, the head as JSON, then the request's body. An answer begins with a letter.

use std::sync::Arc;

use bytes::Bytes;
use msp_core::{Body, Request, Response, RunError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::python::answer::{json, message};

/// Bytes that an answer may have beside its body: letter, length, status and headers.
pub(super) const OVERHEAD: usize = 64 * 1024;

/// One call as the host is to see it.
pub(super) struct Invocation {
    pub(super) plugin: usize,
    pub(super) max_output: usize,
    pub(super) values: Map<String, Value>,
    /// None for a call that came through another door.
    pub(super) request: Option<Box<Request>>,
    /// Its body.
    pub(super) body: Bytes,
    pub(super) client_ip: String,
    pub(super) subpath: Option<String>,
}

/// The body of a call's frame.
#[derive(Default)]
pub(super) struct CallFrame {
    /// Length of the head, and the head.
    pub(super) head: Vec<u8>,
    /// The request's body.
    pub(super) body: Arc<Vec<u8>>,
}

/// The part of a request that stands in the head.
#[derive(Serialize)]
struct Head<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    host: &'a str,
    prefix: &'a str,
    secure: bool,
    headers: &'a [(String, String)],
}

impl Invocation {
    /// The call as it travels. Made before the call is sent to the supervisor: it may take long, and others wait there.
    pub(super) fn into_frame(self) -> CallFrame {
        let request = self.request.as_ref().map(|request| Head {
            method: &request.method,
            path: &request.path,
            query: &request.query,
            host: &request.host,
            prefix: &request.prefix,
            secure: request.secure,
            headers: &request.headers,
        });
        let parts = (self.plugin, self.max_output, &self.values, request, &self.client_ip, &self.subpath);
        let mut head = vec![0; 4];
        // A value of ours cannot fail to become JSON; if it did, the host would answer that it cannot read it.
        let _written = serde_json::to_writer(&mut head, &parts);
        let length = u32::try_from(head.len() - 4).unwrap_or(u32::MAX);
        if let Some(place) = head.first_chunk_mut() {
            *place = length.to_be_bytes();
        }
        CallFrame { head, body: Arc::new(self.body.into()) }
    }
}

/// The head of an answer that is more than JSON with status 200.
#[derive(Deserialize)]
struct AnswerHead {
    status: u16,
    headers: Vec<(String, String)>,
}

/// What a host answers a call with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// 200 to 599.
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Reads the body of an answer's frame.
///
/// # Errors
/// What the host says, or that it says nothing sensible.
pub(super) fn understand(mut body: Vec<u8>, max_output: usize) -> Result<Answer, RunError> {
    let kind = body.first().copied();
    body.drain(..body.len().min(1));
    match kind {
        Some(b'J') if body.len() <= max_output => Ok(Answer {
            status: 200,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body,
        }),
        Some(b'R') => response(&body, max_output),
        Some(b'J' | b'L') => Err(RunError::TooLarge),
        Some(b'A') => Err(RunError::BadArguments(message(&body))),
        Some(b'F') => Err(RunError::Failed(message(&body))),
        Some(b'O') => Err(RunError::Timeout),
        _ => Err(RunError::Failed("its host sent an answer of no known kind".into())),
    }
}

fn response(bytes: &[u8], max_output: usize) -> Result<Answer, RunError> {
    let parts = bytes
        .split_first_chunk::<4>()
        .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?));
    let head = parts.and_then(|(head, body)| Some((serde_json::from_slice::<AnswerHead>(head).ok()?, body)));
    match head {
        Some((_, body)) if body.len() > max_output => Err(RunError::TooLarge),
        Some((AnswerHead { status, headers }, body)) if (200..600).contains(&status) => {
            Ok(Answer { status, headers, body: body.to_vec() })
        }
        _ => Err(RunError::Failed("its host sent a response that cannot be read".into())),
    }
}

/// What a caller gets that made a request.
///
/// # Errors
/// [`RunError::Failed`] for what cannot be sent.
pub(super) fn respond(answer: Answer) -> Result<Response, RunError> {
    let Answer { status, headers, body } = answer;
    Response::new(status, headers, Body::Bytes(body.into()))
        .map_err(|unfit| RunError::Failed(unfit.to_string()))
}

/// What a caller gets who knows nothing of responses: JSON as it is, text as text.
///
/// # Errors
/// [`RunError::Failed`] for a body that is neither.
pub(super) fn value(answer: Answer) -> Result<Value, RunError> {
    if answer.body.is_empty() {
        return Ok(Value::Null);
    }
    let is_json = answer
        .headers
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .any(|(_, value)| value.to_ascii_lowercase().starts_with("application/json"));
    if !is_json {
        let text = String::from_utf8(answer.body);
        return text
            .map(Value::String)
            .map_err(|_| RunError::Failed("it answered bytes, which only its REST route can carry".into()));
    }
    json(&answer.body, "its answer is no JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn framed(head: &str, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(head.len()).unwrap().to_be_bytes();
        [b"R", &length[..], head.as_bytes(), body].concat()
    }

    #[test]
    fn each_kind_of_answer_is_understood() {
        let read = |body: &[u8]| understand(body.to_vec(), 8);
        assert_eq!(read(b"J{\"a\":1}").map(value), Ok(Ok(json!({"a": 1}))));
        assert_eq!(read(b"J{\"a\": 123}"), Err(RunError::TooLarge));
        assert_eq!(read(b"L"), Err(RunError::TooLarge));
        assert_eq!(read(b"O"), Err(RunError::Timeout));
        assert_eq!(read(b"Ax"), Err(RunError::BadArguments("x".into())));
        assert_eq!(read(b"Fx\ny"), Err(RunError::Failed("x\\ny".into())));
        let response = framed(r#"{"status":418,"headers":[["Content-Type","text/html"]]}"#, b"<b>");
        let answer = understand(response, 8).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (418, &b"<b>"[..]));
        assert_eq!(value(answer), Ok(json!("<b>")));
    }

    #[test]
    fn an_answer_that_a_host_should_not_have_sent_is_refused() {
        let head = r#"{"status":200,"headers":[]}"#;
        assert_eq!(understand(framed(head, b"123456789"), 8), Err(RunError::TooLarge));
        for bad in [
            b"".to_vec(),
            b"?".to_vec(),
            b"R".to_vec(),
            b"R\0\0\0\xff{}".to_vec(),
            framed("{}", b""),
            framed(r#"{"status":99,"headers":[]}"#, b""),
            framed(r#"{"status":600,"headers":[]}"#, b""),
        ] {
            assert!(matches!(understand(bad.clone(), 8), Err(RunError::Failed(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_body_that_is_neither_text_nor_json_reaches_no_other_door() {
        let answer = |kind: &str, body: &[u8]| Answer {
            status: 200,
            headers: vec![("Content-Type".to_owned(), kind.to_owned())],
            body: body.to_vec(),
        };
        assert!(value(answer("application/octet-stream", b"\xff")).is_err());
        assert!(value(answer("application/json", b"{")).is_err());
        let deep = "[".repeat(127) + &"]".repeat(127);
        assert!(value(answer("application/json; charset=utf-8", deep.as_bytes())).is_err());
        assert_eq!(value(answer("text/plain", b"")), Ok(Value::Null));
    }
}
