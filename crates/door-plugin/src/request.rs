//! What a request asks with: the values of its body and its query, and the key it came with.

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::{Bytes, Payload};
use msp_core::{Identity, Request};
use msp_http::{
    BodyRefusal, Form, PresentedKey, Unreadable, bearer, pairs, read_body, refuse_announced, unpack, values,
    without,
};
use msp_protocol::Digest;
use serde_json::{Map, Value};

use crate::Incoming;
use crate::answer::Refusal;
use crate::reason::Reason;

/// The value that a key may stand in.
const KEY: &str = "apikey";
const KEY_HEADER: &str = "x-custom-auth";
/// Names that a plugin gets from the server, whatever a caller says.
const OURS: [&str; 5] = ["client_ip", "log", "request", "request_headers", "subpath"];

/// A request that has been read as a whole.
pub(crate) struct ReadRequest {
    values: Map<String, Value>,
    body: Bytes,
    form: Form,
    key_in_body: bool,
    key_in_query: bool,
    strips: Strips,
}

/// Where a key is to be taken out.
#[derive(Debug, Clone, Copy, Default)]
struct Strips {
    bearer: bool,
    header: bool,
    value: bool,
}

impl ReadRequest {
    /// Reads body and query. Of a repeated name the first value counts; the query overrides the body.
    pub(crate) async fn read(incoming: &Incoming<'_>, payload: Payload) -> Result<Self, Refusal> {
        let request = incoming.request;
        let (body, form, mut values) = if request.method() == Method::POST {
            let limits = &incoming.settings.limits;
            let read = async {
                refuse_announced(request, limits)?;
                read_body(payload, limits).await
            };
            let body = read.await.map_err(|reason| {
                let refusal = match &reason {
                    BodyRefusal::TooLarge => Refusal::TooLarge,
                    BodyRefusal::TooSlow => Refusal::TooSlow,
                    BodyRefusal::Torn => Refusal::Malformed("the body ended too early".to_owned()),
                };
                incoming.refuse(&Identity::Anybody, Reason::Body(reason), refusal)
            })?;
            let refused = |unreadable| incoming.refuse_unreadable(unreadable);
            let body = unpack(request.headers(), body, limits.body).await.map_err(refused)?;
            let (form, values) = values(request.headers(), &body).await.map_err(refused)?;
            (body, form, values)
        } else {
            (Bytes::new(), Form::Other, Map::new())
        };
        let asked = pairs(request.query_string().as_bytes());
        let (key_in_body, key_in_query) = (values.contains_key(KEY), asked.contains_key(KEY));
        values.extend(asked);
        for name in OURS {
            values.remove(name);
        }
        Ok(Self { values, body, form, key_in_body, key_in_query, strips: Strips::default() })
    }

    /// What stands at the three places of a key, each if there is one.
    fn places<'a>(&'a self, headers: &'a HeaderMap) -> [Option<&'a [u8]>; 3] {
        let bearer = headers.get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
        let header = headers.get(KEY_HEADER).map(HeaderValue::as_bytes);
        let value = self.values.get(KEY).and_then(Value::as_str).map(str::as_bytes);
        [bearer, header.map(<[u8]>::trim_ascii), value]
    }

    /// The key it came with: the first of bearer, header and value.
    pub(crate) fn key(&self, headers: &HeaderMap) -> Option<PresentedKey> {
        let [bearer, header, value] = self.places(headers);
        let in_header = bearer.or(header);
        let text = in_header.or(value).filter(|text| !text.is_empty())?;
        Some(PresentedKey { digest: Digest::of(text), in_query: in_header.is_none() && self.key_in_query })
    }

    /// Takes out each key that is one of ours.
    pub(crate) fn strip_keys(&mut self, headers: &HeaderMap, is_ours: impl Fn(&Digest) -> bool) {
        let [bearer, header, value] =
            self.places(headers).map(|text| text.is_some_and(|text| is_ours(&Digest::of(text))));
        self.strips = Strips { bearer, header, value };
        if value {
            self.values.remove(KEY);
            if self.key_in_body {
                self.body = self.form.without(std::mem::take(&mut self.body), KEY);
            }
        }
    }

    /// The values.
    pub(crate) fn take_values(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.values)
    }

    /// The request itself, as a plugin may see it.
    pub(crate) fn into_request(self, incoming: &Incoming<'_>, subpath: Option<String>) -> Request {
        let request = incoming.request;
        let query = request.query_string();
        Request {
            method: request.method().to_string(),
            path: request.path().to_owned(),
            subpath,
            query: match self.strips.value && self.key_in_query {
                true => without(query.as_bytes(), KEY),
                false => query.to_owned(),
            },
            headers: self.headers(request.headers()),
            host: incoming.door.listening.host(request, &incoming.peer),
            prefix: incoming.peer.path_prefix().to_owned(),
            secure: incoming.door.listening.is_secure(&incoming.peer),
            body: self.body.into(),
        }
    }

    fn strips_body(&self) -> bool {
        self.strips.value && self.key_in_body
    }

    /// True when the body is not of the length that its headers say.
    fn is_changed(&self, headers: &HeaderMap) -> bool {
        self.strips_body() || headers.contains_key(header::CONTENT_ENCODING)
    }

    fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let Strips { bearer: strips_bearer, header, .. } = self.strips;
        let kept = |(name, text): &(&HeaderName, &HeaderValue)| {
            !(header && *name == KEY_HEADER
                || strips_bearer && *name == header::AUTHORIZATION && bearer(text.as_bytes()).is_some()
                // It is given unpacked.
                || *name == header::CONTENT_ENCODING
                || self.is_changed(headers) && *name == header::CONTENT_LENGTH)
        };
        let text = |name: &HeaderName, value: &HeaderValue| {
            // A page that was asked for with a key in its query has it in its address.
            let address = if name == header::REFERER {
                value.as_bytes().split(|byte| *byte == b'?').next()
            } else {
                None
            };
            let text = String::from_utf8_lossy(address.unwrap_or(value.as_bytes())).into_owned();
            if *name == header::CONTENT_TYPE && self.strips_body() && self.form.was_recoded() {
                return format!("{}; charset=utf-8", text.split(';').next().unwrap_or_default());
            }
            text
        };
        headers
            .iter()
            .filter(kept)
            .map(|(name, value)| (name.as_str().to_owned(), text(name, value)))
            .collect()
    }
}

impl Incoming<'_> {
    /// Refuses a body that cannot be read; a run without it would be one with other values.
    fn refuse_unreadable(&self, unreadable: Unreadable) -> Refusal {
        let (why, refusal) = match unreadable {
            Unreadable::TooLarge => {
                return self.refuse(
                    &Identity::Anybody,
                    Reason::Body(BodyRefusal::TooLarge),
                    Refusal::TooLarge,
                );
            }
            Unreadable::Broken(why) => (why.clone(), Refusal::Malformed(why)),
            Unreadable::Unsupported(why) => (why.clone(), Refusal::Unsupported(why)),
        };
        self.refuse(&Identity::Anybody, Reason::BodyUnreadable(why), refusal)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(values: Value, key_in_query: bool) -> ReadRequest {
        let Value::Object(values) = values else { panic!("an object") };
        let (body, strips) = (Bytes::new(), Strips::default());
        ReadRequest { values, body, form: Form::Other, key_in_body: false, key_in_query, strips }
    }

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn plugin_03_the_first_key_that_is_present_counts_and_names_are_compared_without_case() {
        let key = |headers: &[(&'static str, &'static str)], values, in_query| {
            asked(values, in_query).key(&map(headers)).map(|key| (key.digest, key.in_query))
        };
        let of = |text: &str, in_query| Some((Digest::of(text.as_bytes()), in_query));
        let both = [("authorization", "bEaReR  a "), ("x-custom-auth", " b ")];
        assert_eq!(key(&both, json!({"apikey": "c"}), true), of("a", false));
        assert_eq!(key(&both[1..], json!({"apikey": "c"}), false), of("b", false));
        assert_eq!(key(&[("authorization", "Basic eDp5")], json!({"apikey": "c"}), false), of("c", false));
        assert_eq!(key(&[("authorization", "Bearer")], json!({}), false), None);
        assert_eq!(key(&[], json!({"apikey": "c"}), true), of("c", true));
        assert_eq!(key(&[], json!({"apikey": 5}), false), None);
        assert_eq!(key(&[("x-custom-auth", "")], json!({}), false), None);
    }

    #[test]
    fn plugin_25_each_key_of_ours_is_left_out_and_what_is_none_is_the_plugins() {
        let all = map(&[("authorization", "Bearer a"), ("x-custom-auth", "b"), ("accept", "*/*")]);
        let left = |ours: &'static [&str]| {
            let mut asked = asked(json!({"apikey": "c", "x": "1"}), true);
            asked.strip_keys(&all, |digest| ours.iter().any(|key| Digest::of(key.as_bytes()) == *digest));
            let names: Vec<_> = asked.headers(&all).into_iter().map(|(name, _)| name).collect();
            (names.join(" "), asked.take_values().contains_key("apikey"))
        };
        assert_eq!(left(&["a", "b", "c"]), ("accept".to_owned(), false));
        assert!(left(&["b"]).1);
        assert_eq!(left(&["b"]).0.split(' ').count(), 2);
        assert_eq!(left(&["c"]).0.split(' ').count(), 3);
        assert_eq!(left(&[]).0.split(' ').count(), 3);
    }
}
