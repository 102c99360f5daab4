//! What a door that speaks HTTP tells a function of its request, and what a function may answer to it.

use serde_json::Value;

/// A request as a function may see it, without the key that opened the door.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WebRequest {
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
    pub body: Vec<u8>,
}

/// An answer that says itself how it is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAnswer {
    /// The status, 200 to 599.
    pub status: u16,
    /// Headers; names and values are checked by the door.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl WebAnswer {
    /// A JSON value with this status.
    #[must_use]
    pub fn json(status: u16, value: &Value) -> Self {
        Self::of(status, "application/json", value.to_string().into_bytes())
    }

    /// What a function gave that knows nothing of requests: text as text, anything else as JSON.
    #[must_use]
    pub fn plain(value: Value) -> Self {
        match value {
            Value::String(text) => Self::of(200, "text/plain; charset=utf-8", text.into_bytes()),
            value => Self::json(200, &value),
        }
    }

    fn of(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        Self { status, headers: vec![("content-type".to_owned(), content_type.to_owned())], body }
    }
}
