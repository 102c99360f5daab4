//! The body of a `POST /v1`, told apart and decoded, and what a client makes of any answer.

use msp_protocol::classic::open_reply;
use msp_protocol::encoding::{decode_lenient, decode_url, encode_standard, encode_url};
use msp_protocol::envelope::Rid;
use msp_protocol::{Body, DecodeError};
use serde_json::Value;

use crate::bounded;
use crate::parties::{BOX, PAIR};
use crate::tree::Tree;

/// What the body must be read as; the nonces stand for the classic values.
#[derive(Debug, PartialEq)]
enum Expected {
    Classic([[u8; 24]; 4]),
    Envelope(Vec<u8>),
}

pub(crate) fn check(data: &[u8]) {
    let body = bounded(data, || Body::parse(data));
    // What the tree does not read (deep nesting, numbers beyond f64 in members that are ignored) is not compared.
    if let Some(tree) = Tree::read(data) {
        let read = body.as_ref().ok().map(|body| match body {
            Body::Classic(request) => Expected::Classic(request.nonces()),
            Body::Envelope(sealed) => Expected::Envelope(sealed.clone()),
        });
        assert_eq!(read, expected(&tree));
        let names_sealed =
            tree.members().is_some_and(|members| members.iter().any(|(name, _)| name == "sealed"));
        assert!(!names_sealed || Body::may_be_envelope(data));
    }
    if let Ok(Body::Classic(request)) = body {
        let opens = request.opens_with(&BOX);
        assert!(opens || request.open(&BOX) == Err(DecodeError::Sealed));
        if let Ok(text) = std::str::from_utf8(data) {
            let nonce = request.nonces().concat();
            let [first, ..] = request.nonces();
            let reply =
                |nonce: &[u8]| format!(r#"{{"value":"{}"}}"#, encode_url(&[nonce, &[0; 16]].concat()));
            assert!(Body::is_reflection(text, reply(&first).as_bytes()), "{nonce:?}");
        }
    }
    assert!(bounded(data, || open_reply(&BOX, data)).is_err(), "nobody sealed this");
    assert!(bounded(data, || PAIR.open_answer(&Rid::from_bytes([0; 16]), data)).is_err());
}

fn expected(tree: &Tree) -> Option<Expected> {
    let members = tree.members()?;
    let mut texts = [const { None }; 5];
    for (name, value) in members {
        let place = ["sealed", "id", "check", "ts", "entry"].iter().position(|known| known == name);
        let Some(slot) = place.and_then(|place| texts.get_mut(place)) else { continue };
        if slot.replace(value.value()).is_some() {
            return None;
        }
    }
    let [sealed, id, check, ts, entry] = texts;
    if let Some(sealed) = sealed {
        return strict(sealed.as_str()?).map(Expected::Envelope);
    }
    let nonce = |member: Option<Value>| {
        let bytes = lenient(member?.as_str()?)?;
        bytes.first_chunk().copied().filter(|_| bytes.len() >= 24 + 16)
    };
    Some(Expected::Classic([nonce(id)?, nonce(check)?, nonce(ts)?, nonce(entry)?]))
}

/// Bytes have one strict spelling, and the lenient reader takes it too.
fn strict(text: &str) -> Option<Vec<u8>> {
    let bytes = bounded(text.as_bytes(), || decode_url(text)).ok()?;
    assert_eq!(encode_url(&bytes), text);
    assert_eq!(decode_lenient(text).as_ref(), Ok(&bytes));
    Some(bytes)
}

/// The lenient reader takes more spellings, but all of them mean the strict one.
fn lenient(text: &str) -> Option<Vec<u8>> {
    let bytes = bounded(text.as_bytes(), || decode_lenient(text)).ok()?;
    assert_eq!(decode_url(&encode_url(&bytes)).as_ref(), Ok(&bytes));
    assert_eq!(decode_lenient(&format!(" {}\n", encode_standard(&bytes))).as_ref(), Ok(&bytes));
    let letters = text.chars().filter(|c| !c.is_ascii_whitespace());
    let letters = letters.map(|c| {
        if c == '+' {
            '-'
        } else if c == '/' {
            '_'
        } else {
            c
        }
    });
    assert_eq!(encode_url(&bytes), letters.collect::<String>());
    Some(bytes)
}
