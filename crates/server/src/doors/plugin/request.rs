//! What a request asks with: the values of its body and its query, and the key it came with.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Payload;
use msp_core::{Reason, WebRequest};
use msp_protocol::Digest;
use serde_json::{Map, Value};

use super::Incoming;
use super::answer::Refusal;
use super::body::{self, Form};
use super::path::Path;

/// The value that a key may stand in.
const KEY: &str = "apikey";
const KEY_HEADER: &str = "x-custom-auth";
/// Names that a plugin gets from the server, whatever a caller says.
const OURS: [&str; 5] = ["client_ip", "log", "request", "request_headers", "subpath"];

/// A request that has been read as a whole.
pub(super) struct Asked {
    values: Map<String, Value>,
    request: WebRequest,
    form: Form,
    key_in_query: bool,
}

/// A key as it came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Presented {
    /// SHA-256 of its text.
    pub(super) digest: Digest,
    /// True when it stood in the query, which ends up in logs and histories.
    pub(super) in_query: bool,
}

impl Asked {
    /// Reads body and query. Of a repeated name the first value counts; the query overrides the body.
    pub(super) async fn read(
        incoming: &Incoming<'_>,
        payload: Payload,
        path: &Path,
    ) -> Result<Self, Refusal> {
        let request = incoming.request;
        let (bytes, form, mut values) = if request.method() == Method::POST {
            let limits = &incoming.settings.limits;
            let read = crate::body::read(request, payload, limits).await;
            let bytes = read.map_err(|reason| {
                let refusal = match &reason {
                    Reason::BodyTooLarge => Refusal::TooLarge,
                    Reason::BodyTooSlow => Refusal::TooSlow,
                    _ => Refusal::Malformed("the body ended too early"),
                };
                incoming.refuse(None, reason, refusal)
            })?;
            let (form, values) = body::values(request.headers(), &bytes).await?;
            (bytes.to_vec(), form, values)
        } else {
            (Vec::new(), Form::Other, Map::new())
        };
        let query = request.query_string();
        let asked = body::pairs(query.as_bytes());
        let key_in_query = asked.contains_key(KEY);
        values.extend(asked);
        for name in OURS {
            values.remove(name);
        }
        let request = WebRequest {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            subpath: path.rest.clone(),
            query: query.to_owned(),
            headers: headers(request.headers()),
            host: request.connection_info().host().to_owned(),
            secure: incoming.is_secure(),
            body: bytes,
        };
        Ok(Self { values, request, form, key_in_query })
    }

    /// The key it came with: the first of bearer, header and value.
    pub(super) fn key(&self) -> Option<Presented> {
        let header = |wanted: &str| {
            let found = self.request.headers.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str())
        };
        let in_header =
            header(header::AUTHORIZATION.as_str()).and_then(bearer).or_else(|| header(KEY_HEADER));
        let (text, in_query) = match in_header {
            Some(text) => (text.trim(), false),
            None => (self.values.get(KEY)?.as_str()?, self.key_in_query),
        };
        (!text.is_empty()).then(|| Presented { digest: Digest::of(text.as_bytes()), in_query })
    }

    /// Takes the key out, wherever it stands.
    pub(super) fn strip_key(&mut self) {
        let key = self.values.remove(KEY);
        let request = &mut self.request;
        request.headers.retain(|(name, value)| {
            name != KEY_HEADER && !(name == header::AUTHORIZATION.as_str() && bearer(value).is_some())
        });
        if self.key_in_query {
            request.query = body::without(request.query.as_bytes(), KEY);
        }
        if key.is_some() {
            request.body = self.form.without(std::mem::take(&mut request.body), KEY);
        }
    }

    /// The values, and the request itself.
    pub(super) fn into_parts(self) -> (Map<String, Value>, WebRequest) {
        (self.values, self.request)
    }
}

/// The token of `Bearer <token>`, the scheme in any case (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim_start().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(headers: &[(&str, &str)], values: Value, query: &str) -> Asked {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let Value::Object(values) = values else { panic!("an object") };
        let request = WebRequest { headers, query: query.to_owned(), ..WebRequest::default() };
        Asked { values, request, form: Form::Other, key_in_query: query.contains("apikey=") }
    }

    #[test]
    fn plugin_03_the_first_key_that_is_present_counts_and_names_are_compared_without_case() {
        let key = |headers: &[(&str, &str)], values, query| {
            asked(headers, values, query).key().map(|key| (key.digest, key.in_query))
        };
        let of = |text: &str, in_query| Some((Digest::of(text.as_bytes()), in_query));
        let both = [("authorization", "bEaReR  a "), ("x-custom-auth", " b ")];
        assert_eq!(key(&both, json!({"apikey": "c"}), "apikey=c"), of("a", false));
        assert_eq!(key(&both[1..], json!({"apikey": "c"}), ""), of("b", false));
        assert_eq!(key(&[("authorization", "Basic eDp5")], json!({"apikey": "c"}), ""), of("c", false));
        assert_eq!(key(&[], json!({"apikey": "c"}), "apikey=c"), of("c", true));
        assert_eq!(key(&[], json!({"apikey": 5}), ""), None);
        assert_eq!(key(&[("x-custom-auth", "")], json!({}), ""), None);
    }

    #[test]
    fn plugin_25_a_key_is_taken_out_wherever_it_stands() {
        let headers = [("authorization", "Bearer a"), ("x-custom-auth", "b"), ("accept", "*/*")];
        let mut asked = asked(&headers, json!({"apikey": "c", "x": "1"}), "x=1&apikey=c&y=%20");
        asked.strip_key();
        let (values, request) = asked.into_parts();
        assert_eq!(Value::Object(values), json!({"x": "1"}));
        assert_eq!((request.query.as_str(), request.headers.len()), ("x=1&y=+", 1));
    }
}
