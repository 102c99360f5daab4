//! JSON as the sealed messages allow it: no doubled members, at most 32 levels.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::error::DecodeError;

/// The most levels a message may be nested; the message itself is the first.
pub const MAX_DEPTH: usize = 32;

/// Counts the levels of a value: 0 for a scalar, 1 for a list or object of scalars.
#[must_use]
pub fn levels(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(levels).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(levels).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Why arguments are refused that would arrive as others.
pub const BEYOND_64_BITS: &str = "a whole number in it is beyond 64 bits; send it as text";

/// True when each whole number in this JSON text is one that a [`Value`] holds exactly: it reads those beyond 64 bits as
/// floating-point numbers, which are others. Of what is no JSON it says nothing.
#[must_use]
pub fn whole_numbers_fit(json: &[u8]) -> bool {
    let mut rest = json;
    while let Some((first, after)) = rest.split_first() {
        rest = match first {
            b'"' => after_string(after),
            b'-' | b'0'..=b'9' => {
                let in_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-');
                let length = after.iter().position(|byte| !in_number(byte)).unwrap_or(after.len());
                let (number, after) = rest.split_at(length + 1);
                // What is shorter fits.
                if number.len() > 18 && !fits(number) {
                    return false;
                }
                after
            }
            _ => after,
        };
    }
    true
}

fn fits(number: &[u8]) -> bool {
    let whole = number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    let text = std::str::from_utf8(number).unwrap_or_default();
    !whole || text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok()
}

/// What stands behind a string of which the opening quote has been read.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        let is_quote = rest.get(at) == Some(&b'"');
        rest = rest.get(at + if is_quote { 1 } else { 2 }..).unwrap_or_default();
        if is_quote {
            return rest;
        }
    }
    &[]
}

/// Reads one JSON value of at most so many levels; white space around it is allowed, anything else after it is not.
///
/// # Errors
/// [`DecodeError::Depth`], [`DecodeError::DuplicateMember`] or [`DecodeError::Json`].
pub(crate) fn parse(text: &str, max_depth: usize) -> Result<Value, DecodeError> {
    let broken = Cell::new(DecodeError::Json);
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict { left: max_depth, broken: &broken }.deserialize(&mut reader);
    let value = value.map_err(|_| broken.get())?;
    reader.end().map_err(|_| DecodeError::Json)?;
    Ok(value)
}

/// Builds a value and remembers which rule was broken, since serde's errors are only text.
#[derive(Clone, Copy)]
struct Strict<'a> {
    /// The levels that may still be opened.
    left: usize,
    broken: &'a Cell<DecodeError>,
}

impl Strict<'_> {
    fn breaks<E: serde::de::Error>(self, rule: DecodeError) -> E {
        self.broken.set(rule);
        E::custom(rule)
    }

    /// The reader for what is inside, one level deeper.
    fn inside<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| self.breaks(DecodeError::Depth))?;
        Ok(Self { left, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(self.breaks(DecodeError::DuplicateMember));
            }
            let value = members.next_value_seed(inside)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Value, DecodeError> {
        super::parse(text, MAX_DEPTH)
    }

    fn nested(levels: usize) -> String {
        format!("{}1{}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn thirty_two_levels_are_read_and_thirty_three_are_not() {
        assert_eq!(parse(&nested(32)).as_ref().map(levels), Ok(32));
        assert_eq!(parse("{}").as_ref().map(levels), Ok(1));
        assert_eq!(parse("1").as_ref().map(levels), Ok(0));
        assert_eq!(parse(&nested(33)), Err(DecodeError::Depth));
        assert_eq!(parse(&"[".repeat(30_000)), Err(DecodeError::Depth));
    }

    #[test]
    fn a_doubled_member_is_refused_at_every_depth() {
        assert_eq!(parse(r#"{"a":1,"a":1}"#), Err(DecodeError::DuplicateMember));
        assert_eq!(parse(r#"{"a":[{"b":1,"\u0062":2}]}"#), Err(DecodeError::DuplicateMember));
    }

    #[test]
    fn only_white_space_may_follow() {
        assert!(parse("{}   \n").is_ok());
        assert_eq!(parse("{} x"), Err(DecodeError::Json));
        assert_eq!(parse("{}{}"), Err(DecodeError::Json));
        assert_eq!(parse(""), Err(DecodeError::Json));
    }

    #[test]
    fn whole_numbers_fit_up_to_64_bits_and_other_numbers_always() {
        for fits in [
            "18446744073709551615",
            "-9223372036854775808",
            r#"{"a":[1,2.5,1e300,-0],"b":"340282366920938463463374607431768211455","c":"\\\"99999999999999999999"}"#,
            "340282366920938463463374607431768211455.0",
            "34028236692093846346337460743176821145e1",
        ] {
            assert!(whole_numbers_fit(fits.as_bytes()), "{fits}");
        }
        for beyond in [
            "18446744073709551616",
            "-9223372036854775809",
            r#"{"a":"\\","b":[1,340282366920938463463374607431768211455]}"#,
        ] {
            assert!(!whole_numbers_fit(beyond.as_bytes()), "{beyond}");
        }
        for broken in ["\"", "\"\\", "-", ""] {
            assert!(whole_numbers_fit(broken.as_bytes()), "{broken}");
        }
    }
}
