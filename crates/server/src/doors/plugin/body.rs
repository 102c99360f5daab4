//! The values of a body: a JSON object, a form, or the fields of a multipart form.

use actix_multipart::Multipart;
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use form_urlencoded::{Serializer, parse};
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value};

use super::answer::Refusal;

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    Multipart,
    Other,
    UrlEncoded,
}

impl Form {
    /// The body without this value. Of a multipart body nothing is left.
    pub(super) fn without(self, body: Bytes, name: &str) -> Bytes {
        match self {
            Self::Json => match serde_json::from_slice::<Map<String, Value>>(&body) {
                Ok(mut members) => {
                    members.remove(name);
                    Value::Object(members).to_string().into()
                }
                Err(_) => Bytes::new(),
            },
            Self::UrlEncoded => without(&body, name).into(),
            Self::Multipart => Bytes::new(),
            Self::Other => body,
        }
    }
}

/// The values of a body. A JSON object counts whatever its type is said to be; what is no form gives none.
pub(super) async fn values(headers: &HeaderMap, body: &Bytes) -> Result<(Form, Map<String, Value>), Refusal> {
    if body.trim_ascii_start().starts_with(b"{")
        && let Ok(members) = serde_json::from_slice(body)
    {
        return Ok((Form::Json, members));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    match kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "application/x-www-form-urlencoded" => Ok((Form::UrlEncoded, pairs(body))),
        "multipart/form-data" => Ok((Form::Multipart, fields(headers, body.clone()).await?)),
        _ => Ok((Form::Other, Map::new())),
    }
}

/// The pairs of a form-encoded text; of a repeated name the first.
pub(super) fn pairs(text: &[u8]) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, value) in parse(text) {
        values.entry(name).or_insert_with(|| value.into_owned().into());
    }
    values
}

/// The same text without the pairs of this name.
pub(super) fn without(text: &[u8], name: &str) -> String {
    Serializer::new(String::new()).extend_pairs(parse(text).filter(|(other, _)| other != name)).finish()
}

/// The fields of a multipart body that are text; of a repeated name the first.
async fn fields(headers: &HeaderMap, body: Bytes) -> Result<Map<String, Value>, Refusal> {
    let unreadable = |_| Refusal::Malformed("the multipart body cannot be read");
    let whole = futures_util::stream::once(std::future::ready(Ok::<_, PayloadError>(body)));
    let mut multipart = Multipart::new(headers, whole);
    let mut values = Map::new();
    while let Some(mut field) = multipart.try_next().await.map_err(unreadable)? {
        let name = field.name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(chunk) = field.try_next().await.map_err(unreadable)? {
            bytes.extend_from_slice(&chunk);
        }
        if let Ok(text) = String::from_utf8(bytes) {
            values.entry(name).or_insert_with(|| text.into());
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use serde_json::json;

    use super::*;

    async fn read(kind: &'static str, body: &str) -> Result<Value, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let read = values(&headers, &Bytes::copy_from_slice(body.as_bytes())).await;
        read.map(|(_, values)| values.into())
    }

    #[actix_web::test]
    async fn plugin_02_json_forms_and_multipart_fields_are_values() {
        for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", ""] {
            assert_eq!(read(kind, r#" {"a": [1], "b": "x"}"#).await, Ok(json!({"a": [1], "b": "x"})));
        }
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(read(form, "a=1&a=2&b=x+y%20z&c").await, Ok(json!({"a": "1", "b": "x y z", "c": ""})));
        for ignored in ["[1]", "5", "{", "a=1", ""] {
            assert_eq!(read("application/json", ignored).await, Ok(json!({})), "{ignored}");
        }
        let part = |name: &str, value: &str| {
            format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = part("a", "1") + &part("a", "2") + &part("apikey", "s\r\nt") + "--b--\r\n";
        let multipart = "multipart/form-data; boundary=b";
        assert_eq!(read(multipart, &body).await, Ok(json!({"a": "1", "apikey": "s\r\nt"})));
        for torn in ["", "--b", &body[..body.len() / 2]] {
            assert_eq!(
                read(multipart, torn).await,
                Err(Refusal::Malformed("the multipart body cannot be read")),
                "{torn:?}"
            );
        }
        assert!(read("multipart/form-data", &body).await.is_err());
    }

    #[test]
    fn a_body_without_one_value_is_otherwise_the_same() {
        assert_eq!(Form::Json.without(Bytes::from_static(br#"{"a":1,"k":"s"}"#), "k"), &br#"{"a":1}"#[..]);
        assert_eq!(Form::UrlEncoded.without(Bytes::from_static(b"a=1&k=s&a=2"), "k"), &b"a=1&a=2"[..]);
        assert_eq!(Form::Other.without(Bytes::from_static(b"k=s"), "k"), &b"k=s"[..]);
    }
}
