//! What a `POST /v1` carries: one of the two shapes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::classic::{Request, Value, parse_reply};
use crate::encoding;
use crate::error::DecodeError;
use crate::json_object::object;

/// A body, told apart by its members.
#[derive(Debug)]
pub enum Body {
    /// The four values of the classic shape.
    Classic(Box<Request>),
    /// The sealed bytes of the envelope shape.
    Envelope(Vec<u8>),
}

/// The members that matter; others are ignored, doubles of these refused.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Members<'a> {
    #[serde(borrow)]
    sealed: Member<'a>,
    #[serde(borrow)]
    id: Member<'a>,
    #[serde(borrow)]
    check: Member<'a>,
    #[serde(borrow)]
    ts: Member<'a>,
    #[serde(borrow)]
    entry: Member<'a>,
}

/// A member's text, borrowed from the body where it has no escapes.
#[derive(Default)]
enum Member<'a> {
    #[default]
    Absent,
    /// Anything but text, `null` included: a body with `sealed` is never read as classic.
    NoText,
    Text(Cow<'a, str>),
}

impl Body {
    /// False when the body surely has no member `sealed`, told without reading it as JSON.
    #[must_use]
    pub fn may_be_envelope(body: &[u8]) -> bool {
        // Without an escape in the whole body a member can only be written as it is.
        memchr::memmem::find(body, b"sealed").is_some() || memchr::memchr(b'\\', body).is_some()
    }

    /// Reads a body. A body with a member `sealed` is never read as classic.
    ///
    /// # Errors
    /// [`DecodeError::Json`], [`DecodeError::Base64`] or [`DecodeError::Size`].
    pub fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let members: Members<'_> = object(body)?;
        if !matches!(members.sealed, Member::Absent) {
            return encoding::decode_url(&members.sealed.text()?).map(Self::Envelope);
        }
        let value = |member: Member<'_>| Value::parse(&member.text()?);
        Ok(Self::Classic(Box::new(Request {
            id: value(members.id)?,
            check: value(members.check)?,
            ts: value(members.ts)?,
            entry: value(members.entry)?,
        })))
    }

    /// True when a classic reply is one of the request's own values, sent back: one key serves both directions, so it
    /// would open. `request` is the text that was sent.
    #[must_use]
    pub fn is_reflection(request: &str, reply: &[u8]) -> bool {
        let Ok(Self::Classic(request)) = Self::parse(request.as_bytes()) else { return false };
        parse_reply(reply).is_ok_and(|value| request.nonces().contains(&value.nonce))
    }
}

impl<'a> Member<'a> {
    fn text(self) -> Result<Cow<'a, str>, DecodeError> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Absent | Self::NoText => Err(DecodeError::Json),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Member<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = Member<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Member::NoText)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Member::NoText)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Member::NoText)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Member::NoText)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Member::NoText)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::NoText)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Member::NoText)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_broken_utf_8_is_no_json_wherever_that_stands() {
        for broken in [&b"\xff"[..], b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82"] {
            for (before, after) in
                [(r#"{"x":""#, r#"","sealed":"AAAA"}"#), (r#"{"sealed":"AAAA",""#, r#"":1}"#)]
            {
                let body = [before.as_bytes(), broken, after.as_bytes()].concat();
                assert_eq!(Body::parse(&body).err(), Some(DecodeError::Json), "{body:?}");
            }
        }
        assert!(Body::parse("{\"x\":\"ü\",\"sealed\":\"AAAA\"}".as_bytes()).is_ok());
    }

    #[test]
    fn no_way_to_write_an_envelope_is_taken_for_something_else() {
        for body in
            [r#"{"sealed":"AAAA"}"#, r#"{"se\u0061led":"AAAA"}"#, r#" { "x" : 1, "sealed" : "AAAA" } "#]
        {
            assert!(matches!(Body::parse(body.as_bytes()), Ok(Body::Envelope(_))), "{body}");
            assert!(Body::may_be_envelope(body.as_bytes()), "{body}");
        }
        assert!(!Body::may_be_envelope(br#"{"id":"AAAA","check":"AAAA"}"#));
    }
}
