//! What goes into a run and what comes out of it: values, requests, responses, whole or as they come.

use std::fmt;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use serde_json::{Map, Value};

/// The content of a request or a response.
pub enum Body {
    /// All of it.
    Bytes(Bytes),
    /// Piece by piece. An error means that the rest will not come.
    Stream(Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>),
}

impl Body {
    /// Its length in bytes; none while that is not known.
    #[must_use]
    pub fn len(&self) -> Option<usize> {
        match self {
            Self::Bytes(bytes) => Some(bytes.len()),
            Self::Stream(_) => None,
        }
    }

    /// All of it, at most so many bytes; for who cannot take it piece by piece.
    ///
    /// # Errors
    /// [`BodyError`], as soon as it is clear that it will not come or is too large.
    pub async fn whole(self, limit: usize) -> Result<Bytes, BodyError> {
        let mut pieces = match self {
            Self::Bytes(bytes) if bytes.len() > limit => return Err(BodyError::TooLarge(limit)),
            Self::Bytes(bytes) => return Ok(bytes),
            Self::Stream(pieces) => pieces,
        };
        let mut whole = BytesMut::new();
        while let Some(piece) = pieces.next().await.transpose()? {
            if piece.len() > limit - whole.len() {
                return Err(BodyError::TooLarge(limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// True when it is known to hold nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}

/// Why a body cannot be had as a whole.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The rest of it will not come.
    #[error("the body ended too early: {0}")]
    Torn(#[from] std::io::Error),
    /// It is larger than so many bytes.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::Bytes(Bytes::new())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.len() {
            Some(length) => write!(f, "Body({length} bytes)"),
            None => f.write_str("Body(stream)"),
        }
    }
}

/// What a function is called with.
#[derive(Debug, Default)]
pub struct Input {
    /// The arguments, if the call had any.
    pub args: Option<Value>,
    /// The request, where the call is one and its function may see it.
    pub request: Option<Box<Request>>,
}

impl Input {
    /// Arguments alone.
    #[must_use]
    pub const fn args(args: Option<Value>) -> Self {
        Self { args, request: None }
    }

    /// The arguments for a function that knows nothing of requests: what lies behind its name in the path becomes the
    /// argument `subpath`, unless the arguments are no object.
    #[must_use]
    pub fn into_args(self) -> Option<Value> {
        let Some(subpath) = self.request.and_then(|request| request.subpath) else { return self.args };
        let mut args = self.args.unwrap_or_else(|| Value::Object(Map::new()));
        if let Some(members) = args.as_object_mut() {
            members.insert("subpath".to_owned(), subpath.into());
        }
        Some(args)
    }
}

/// A request as a function may see it, without the key that opened the door.
#[derive(Debug, Default)]
pub struct Request {
    /// `GET`, `HEAD` or `POST`.
    pub method: String,
    /// The path as it was sent, percent-encoded.
    pub path: String,
    /// What lies behind `/<function>/`, percent-decoded; none when there is nothing.
    pub subpath: Option<String>,
    /// The query as it was sent, without `?`.
    pub query: String,
    /// The headers in their order, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The host that was asked for; empty when none was.
    pub host: String,
    /// What a proxy has taken off the path before it passed it on; empty, or `/…` without a slash at its end.
    pub prefix: String,
    /// True when the request came through TLS.
    pub secure: bool,
    /// The body.
    pub body: Body,
}

/// What a run gives.
#[derive(Debug)]
pub enum Output {
    /// An answer that says itself how it is to be sent; only a call with a request may give one.
    Response(Response),
    /// Text as a JSON string, or any other JSON.
    Value(Value),
}

/// An answer that says itself how it is to be sent.
#[derive(Debug)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
}

impl Response {
    /// A response that can be sent.
    ///
    /// # Errors
    /// [`NotHttp`], with what of it is no HTTP: a status outside 200 to 599, or a header (RFC 9110, 5.1 and 5.5).
    pub fn new(status: u16, headers: Vec<(String, String)>, body: Body) -> Result<Self, NotHttp> {
        if !(200..600).contains(&status) {
            return Err(NotHttp(format!("status {status}")));
        }
        match headers.iter().find(|(name, value)| !is_name(name) || !is_value(value)) {
            Some((name, _)) => Err(NotHttp(format!("header {}", name.escape_debug()))),
            None => Ok(Self { status, headers, body }),
        }
    }

    /// A JSON value with a status of ours.
    #[must_use]
    pub fn json(status: JsonStatus, value: &Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self { status: status as u16, headers, body: Body::Bytes(value.to_string().into()) }
    }

    /// Status, headers in their order, and body.
    #[must_use]
    pub fn into_parts(self) -> (u16, Vec<(String, String)>, Body) {
        (self.status, self.headers, self.body)
    }

    /// The body.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }
}

/// The statuses of answers that native functions make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonStatus {
    /// What was asked for cannot be.
    BadRequest = 400,
    /// There is no such thing.
    NotFound = 404,
}

/// What of a response is no HTTP.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its response cannot be sent: {0}")]
pub struct NotHttp(String);

/// The size of the value as JSON, in bytes; counting stops somewhere beyond the limit.
#[must_use]
pub fn json_size(value: &Value, limit: usize) -> usize {
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

/// A token (RFC 9110, 5.6.2).
fn is_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

/// Text without control characters, tabs apart (RFC 9110, 5.5).
fn is_value(value: &str) -> bool {
    value.bytes().all(|byte| byte == b'\t' || byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_response_that_is_no_http_is_none() {
        let unfit = |status, name: &str, value: &str| {
            let headers = vec![(name.to_owned(), value.to_owned())];
            Response::new(status, headers, Body::default()).map(drop).map_err(|unfit| unfit.to_string())
        };
        let bad = |what: &str| Err(format!("its response cannot be sent: {what}"));
        for (name, value) in [("x-a", "a\tb ü"), ("X!", "")] {
            assert_eq!(unfit(200, name, value), Ok(()), "{name}");
            assert_eq!(unfit(599, name, value), Ok(()), "{name}");
        }
        for status in [0, 100, 199, 600, 999] {
            assert_eq!(unfit(status, "a", ""), bad(&format!("status {status}")));
        }
        for (name, value) in [("a", "x\ny"), ("a", "\0"), ("a", "\x7f"), ("a b", ""), ("ü", ""), ("a:", "")]
        {
            assert_eq!(unfit(200, name, value), bad(&format!("header {name}")));
        }
        assert_eq!(unfit(200, "", ""), bad("header "));
        assert_eq!(unfit(200, "a\r\nb", ""), bad("header a\\r\\nb"));
    }

    /// What comes of a body in these pieces, and how many of them were asked for.
    fn whole(pieces: Vec<std::io::Result<&'static str>>, limit: usize) -> (Result<String, String>, usize) {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let pieces = pieces.into_iter().map(move |piece| {
            counted.fetch_add(1, Ordering::Relaxed);
            piece.map(|text| Bytes::from_static(text.as_bytes()))
        });
        let body = Body::Stream(Box::pin(futures_util::stream::iter(pieces)));
        assert_eq!((body.len(), body.is_empty()), (None, false));
        let whole = body.whole(limit).now_or_never().expect("all is there");
        let text = whole.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap());
        (text.map_err(|error| error.to_string()), asked.load(Ordering::Relaxed))
    }

    #[test]
    fn a_body_in_pieces_is_had_as_a_whole_up_to_the_limit() {
        let torn = || Err(std::io::Error::other("reset"));
        let too_large = |limit| Err(format!("the body is larger than {limit} bytes"));
        assert_eq!(whole(vec![], 0), (Ok(String::new()), 0));
        assert_eq!(whole(vec![Ok("a"), Ok(""), Ok("bc")], 3), (Ok("abc".to_owned()), 3));
        assert_eq!(
            whole(vec![Ok("a"), Ok("bc"), Ok("d")], 2),
            (too_large(2), 2),
            "the rest is not waited for"
        );
        let ended = Err("the body ended too early: reset".to_owned());
        assert_eq!(whole(vec![Ok("a"), torn(), Ok("b")], 9), (ended, 2));
        let bytes = |limit| Body::from(Bytes::from_static(b"abc")).whole(limit).now_or_never().unwrap();
        assert_eq!(bytes(3).unwrap(), "abc");
        assert_eq!(bytes(2).unwrap_err().to_string(), "the body is larger than 2 bytes");
        assert!(Body::default().is_empty());
    }

    #[test]
    fn the_size_of_a_value_is_that_of_its_json_up_to_the_limit() {
        assert_eq!(json_size(&json!({"a": "ü"}), 100), r#"{"a":"ü"}"#.len());
        assert!(json_size(&json!("x".repeat(1000)), 100) > 100);
        let many = json!(vec![1; 100_000]);
        assert!((101..200).contains(&json_size(&many, 100)), "counting stops");
    }

    #[test]
    fn what_lies_behind_the_name_becomes_an_argument() {
        let args = |args, subpath: Option<&str>| {
            let request = Request { subpath: subpath.map(str::to_owned), ..Request::default() };
            Input { args, request: Some(request.into()) }.into_args()
        };
        assert_eq!(args(None, None), None);
        assert_eq!(args(None, Some("a")), Some(json!({"subpath": "a"})));
        assert_eq!(args(Some(json!({"b": 1})), Some("a")), Some(json!({"b": 1, "subpath": "a"})));
        assert_eq!(args(Some(json!([1])), Some("a")), Some(json!([1])));
        assert_eq!(Input::args(Some(json!(1))).into_args(), Some(json!(1)));
    }
}
