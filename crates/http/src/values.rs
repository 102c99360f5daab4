//! The values of a body: a JSON object, a form, or the fields of a multipart form.

use std::borrow::Cow;

use actix_multipart::{Field, Multipart};
use actix_web::error::PayloadError;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use form_urlencoded::{Serializer, parse};
use futures_util::TryStreamExt as _;
use msp_protocol::envelope::{BEYOND_64_BITS, whole_numbers_fit};
use percent_encoding::percent_decode;
use serde_json::{Map, Value};

use crate::decoding::{Charset, Unreadable};

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A JSON object.
    Json(Charset),
    /// `multipart/form-data`.
    Multipart,
    /// Nothing that has values.
    Other,
    /// `application/x-www-form-urlencoded`.
    UrlEncoded(Charset),
}

impl Form {
    /// The body without this value, in UTF-8. Of a multipart body nothing is left.
    #[must_use]
    pub fn without(self, body: Bytes, name: &str) -> Bytes {
        match self {
            Self::Json(charset) => match json(&body, charset) {
                Ok(Value::Object(mut members)) => {
                    members.remove(name);
                    Value::Object(members).to_string().into()
                }
                Ok(_) | Err(_) => Bytes::new(),
            },
            Self::UrlEncoded(charset) => {
                let kept = form(&body, charset).unwrap_or_default().into_iter();
                let kept = kept.filter(|(other, _)| other != name);
                Serializer::new(String::new()).extend_pairs(kept).finish().into()
            }
            Self::Multipart => Bytes::new(),
            Self::Other => body,
        }
    }

    /// True when what [`Form::without`] leaves is in another charset than the body was.
    #[must_use]
    pub fn was_recoded(self) -> bool {
        matches!(self, Self::Json(charset) | Self::UrlEncoded(charset) if charset != Charset::UTF_8)
    }
}

/// The values of a body. A JSON object counts whatever its type is said to be; what is no form gives none, and what
/// is said to be one must be readable.
///
/// # Errors
/// [`Unreadable`].
pub async fn values(headers: &HeaderMap, body: &Bytes) -> Result<(Form, Map<String, Value>), Unreadable> {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let kind = kind.unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_form = essence == "application/x-www-form-urlencoded";
    let is_json = essence == "application/json"
        || essence.strip_prefix("application/").is_some_and(|kind| kind.ends_with("+json"));
    if essence == "multipart/form-data" {
        return Ok((Form::Multipart, fields(headers, body.clone()).await?));
    }
    if body.is_empty() {
        return Ok((Form::Other, Map::new()));
    }
    // No encoder of forms leaves a brace bare, but curl sends JSON under their name.
    let begins_as_object = body.trim_ascii_start().starts_with(b"{");
    if is_json || begins_as_object {
        match Charset::of(&kind).and_then(|charset| Ok((charset, json(body, charset)?))) {
            Ok((charset, Value::Object(members))) => return Ok((Form::Json(charset), members)),
            Err(unreadable) if is_json || is_form || essence.is_empty() => return Err(unreadable),
            Ok(_) | Err(_) => return Ok((Form::Other, Map::new())),
        }
    }
    if !is_form {
        return Ok((Form::Other, Map::new()));
    }
    let charset = Charset::of(&kind)?;
    let mut values = Map::new();
    for (name, value) in form(body, charset)? {
        values.entry(name).or_insert_with(|| value.into());
    }
    Ok((Form::UrlEncoded(charset), values))
}

fn json(body: &[u8], charset: Charset) -> Result<Value, Unreadable> {
    let text = charset.text(body)?;
    let broken = |why: &str| Unreadable::Broken(format!("the body is no JSON that can be read: {why}"));
    let value = serde_json::from_str(&text).map_err(|error| broken(&error.to_string()))?;
    if whole_numbers_fit(text.as_bytes()) { Ok(value) } else { Err(broken(BEYOND_64_BITS)) }
}

/// The pairs of a form, each as it was before it was encoded.
fn form(body: &[u8], charset: Charset) -> Result<Vec<(String, String)>, Unreadable> {
    // Such a text is ASCII once it is read; what its escapes stand for can then only be UTF-8.
    let (text, charset) = match charset.holds_ascii() {
        true => (Cow::Borrowed(body), charset),
        false => (Cow::Owned(charset.text(body)?.into_owned().into_bytes()), Charset::UTF_8),
    };
    let part = |part: &[u8]| {
        let spaced: Vec<u8> = part.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        let bytes: Vec<u8> = percent_decode(&spaced).collect();
        charset.text(&bytes).map(Cow::into_owned)
    };
    let pairs = text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    let pair = |pair: &[u8]| {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let mut next = || part(parts.next().unwrap_or_default());
        Ok((next()?, next()?))
    };
    pairs.map(pair).collect()
}

/// The pairs of a query; of a repeated name the first.
#[must_use]
pub fn pairs(text: &[u8]) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, value) in parse(text) {
        values.entry(name).or_insert_with(|| value.into_owned().into());
    }
    values
}

/// The same query without the pairs of this name.
#[must_use]
pub fn without(text: &[u8], name: &str) -> String {
    Serializer::new(String::new()).extend_pairs(parse(text).filter(|(other, _)| other != name)).finish()
}

/// The fields of a multipart body that are text; of a repeated name the first.
async fn fields(headers: &HeaderMap, body: Bytes) -> Result<Map<String, Value>, Unreadable> {
    let torn = |_| Unreadable::Broken("the multipart body cannot be read".to_owned());
    let whole = futures_util::stream::once(std::future::ready(Ok::<_, PayloadError>(body)));
    let mut multipart = Multipart::new(headers, whole);
    let mut values = Map::new();
    while let Some(mut field) = multipart.try_next().await.map_err(torn)? {
        let name = field.name().unwrap_or_default().to_owned();
        let mut bytes = Vec::new();
        while let Some(chunk) = field.try_next().await.map_err(torn)? {
            bytes.extend_from_slice(&chunk);
        }
        let kind = field.content_type().map_or_else(String::new, ToString::to_string);
        match Charset::of(&kind).and_then(|charset| charset.text(&bytes).map(Cow::into_owned)) {
            Ok(text) => drop(values.entry(name).or_insert_with(|| text.into())),
            Err(_) if is_file(&field) => {}
            Err(unreadable) => return Err(unreadable),
        }
    }
    Ok(values)
}

/// True for a part that need not be text.
fn is_file(field: &Field) -> bool {
    let named = field.content_disposition().is_some_and(|disposition| disposition.get_filename().is_some());
    named || field.content_type().is_some_and(|kind| kind.type_() != "text")
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use serde_json::json;

    use super::*;

    async fn read(kind: &'static str, body: impl AsRef<[u8]>) -> Result<Value, Unreadable> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        let read = values(&headers, &Bytes::copy_from_slice(body.as_ref())).await;
        read.map(|(_, values)| values.into())
    }

    #[actix_web::test]
    async fn what_is_said_to_be_a_form_and_cannot_be_read_is_refused_with_a_reason() {
        let broken = |read: Result<Value, Unreadable>| matches!(read, Err(Unreadable::Broken(_)));
        for unread in
            ["{", r#"{"a": NaN}"#, r#"{"a": 1e400}"#, r#"{"a": "\ud800"}"#, "{\"a\": 1} x", "{'a': 1}"]
        {
            for kind in
                ["application/json", "application/vnd.x+json", "application/x-www-form-urlencoded", ""]
            {
                assert!(broken(read(kind, unread).await), "{kind} {unread}");
            }
            assert_eq!(read("text/plain", unread).await, Ok(json!({})), "{unread}");
        }
        for unread in ["NaN", "a=1", "[1,"] {
            assert!(broken(read("application/json", unread).await), "{unread}");
        }
        assert!(broken(read("application/json", b"{\"a\":\"\xfc\"}").await));
        assert!(broken(read("application/x-www-form-urlencoded", "a=%FC").await));
        let unknown = read("application/json; charset=klingon", "{}").await;
        assert!(matches!(unknown, Err(Unreadable::Unsupported(_))));
        let reason = read("application/json", r#"{"a": NaN}"#).await;
        let expected = "the body is no JSON that can be read: expected value at line 1 column 7";
        assert_eq!(reason, Err(Unreadable::Broken(expected.to_owned())));
    }

    #[actix_web::test]
    async fn bodies_are_read_in_their_charset() {
        let expected = Ok(json!({"a": "ü"}));
        let utf_16: Vec<u8> = "{\"a\":\"ü\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read("application/json; charset=utf-16le", &utf_16).await, expected);
        assert_eq!(read("application/json; charset=latin-1", b"{\"a\":\"\xfc\"}").await, expected);
        assert_eq!(read("application/json", "\u{feff}{\"a\":\"ü\"}").await, expected);
        for (charset, body) in [("latin1", &b"a=\xfc"[..]), ("iso-8859-1", b"a=%FC"), ("utf-8", b"a=%C3%BC")]
        {
            let kind = format!("application/x-www-form-urlencoded; charset={charset}");
            assert_eq!(read(kind.leak(), body).await, expected, "{charset}");
        }
        let utf_16: Vec<u8> = "a=%C3%BC".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read("application/x-www-form-urlencoded; charset=utf-16", &utf_16).await, expected);
        let part = |head: &str, value: &[u8]| {
            let head = format!("--b\r\nContent-Disposition: form-data; name=\"a\"{head}\r\n\r\n");
            [head.as_bytes(), value, b"\r\n--b--\r\n"].concat()
        };
        let multipart = "multipart/form-data; boundary=b";
        let latin = part("\r\nContent-Type: text/plain; charset=latin-1", b"\xfc");
        assert_eq!(read(multipart, &latin).await, expected);
        assert!(read(multipart, part("", b"\xfc")).await.is_err());
        assert_eq!(read(multipart, part("; filename=\"x\"", b"\xfc")).await, Ok(json!({})), "a file");
    }

    #[actix_web::test]
    async fn plugin_02_json_forms_and_multipart_fields_are_values() {
        for kind in ["application/json", "text/plain", "application/x-www-form-urlencoded", ""] {
            assert_eq!(read(kind, r#" {"a": [1], "b": "x"}"#).await, Ok(json!({"a": [1], "b": "x"})));
        }
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        assert_eq!(read(form, "a=1&a=2&b=x+y%20z&c").await, Ok(json!({"a": "1", "b": "x y z", "c": ""})));
        for ignored in ["[1]", "5", ""] {
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
                Err(Unreadable::Broken("the multipart body cannot be read".to_owned())),
                "{torn:?}"
            );
        }
        assert!(read("multipart/form-data", &body).await.is_err());
    }

    #[test]
    fn a_body_without_one_value_is_otherwise_the_same() {
        let (json, form) = (Form::Json(Charset::UTF_8), Form::UrlEncoded(Charset::UTF_8));
        assert_eq!(json.without(Bytes::from_static(br#"{"a":1,"k":"s"}"#), "k"), &br#"{"a":1}"#[..]);
        assert_eq!(form.without(Bytes::from_static(b"a=1&k=s&a=2"), "k"), &b"a=1&a=2"[..]);
        let latin = Form::UrlEncoded(Charset::Latin1);
        assert_eq!(latin.without(Bytes::from_static(b"a=%FC&k=s"), "k"), &b"a=%C3%BC"[..]);
        assert_eq!(Form::Other.without(Bytes::from_static(b"k=s"), "k"), &b"k=s"[..]);
    }
}
