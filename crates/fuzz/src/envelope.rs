//! The envelope shape: M, M', and the seal around them.

use msp_protocol::checksum::crc32;
use msp_protocol::encoding::{decode_url, encode_url};
use msp_protocol::envelope::fuzzing::{answer, message, message_text};
use msp_protocol::envelope::{
    Answer, Failure, FailureCode, MAX_DEPTH, MAX_MESSAGE, MAX_VALUE_DEPTH, Message, Outer, RequestParts, Rid,
    levels, whole_numbers_fit,
};
use msp_protocol::sealing::seal_from;
use msp_protocol::{Body, DecodeError, Digest, ErrorCode};
use serde_json::Value;

use crate::bounded;
use crate::input::{Input, flip};
use crate::parties::{CLIENT, EPHEMERAL, PAIR, SECRET, SERVER};
use crate::tree::Tree;

/// The most levels of M', where serde_json itself stops.
const ANSWER_DEPTH: usize = 127;
/// The request that the answers of the corpus name.
const RID: Rid = Rid::from_bytes([0; 16]);

/// The first byte chooses: M as it stands there, or made of its parts.
pub(crate) fn check_message(data: &[u8]) {
    let mut input = Input(data);
    if input.byte() & 1 == 1 {
        return check_request(input);
    }
    let Ok(text) = std::str::from_utf8(input.0) else { return };
    let read = bounded(input.0, || message(text));
    assert_eq!(read.ok(), expected_message(input.0));
}

fn expected_message(json: &[u8]) -> Option<Message> {
    let tree = Tree::read(json).filter(|tree| tree.levels() <= MAX_DEPTH && !tree.has_doubles())?;
    let members = tree.members()?;
    let member = |name| members.iter().find(|(known, _)| known == name).map(|(_, tree)| tree.value());
    let id = member("id")?.as_str().filter(|id| !id.is_empty())?.to_owned();
    (member("check")?.as_u64()? == u64::from(crc32(id.as_bytes()))).then_some(())?;
    Some(Message {
        secret: Digest::of(id.as_bytes()),
        ts: member("ts")?.as_u64()?,
        entry: member("entry")?.as_str()?.parse().ok()?,
        rid: Rid::from_bytes(decode_url(member("rid")?.as_str()?).ok()?.try_into().ok()?),
        args: member("args"),
        // Of the whole text, in which nothing else is as long.
        exact: member("args").is_none() || whole_numbers_fit(json),
    })
}

/// What a client writes is read as it was meant, and what it refuses to write would be refused.
fn check_request(mut input: Input<'_>) {
    let (ts, rid) = (u64::from_be_bytes(input.array()), Rid::from_bytes(input.array()));
    let Ok(entry) = input.text().parse() else { return };
    let args: Option<Value> = serde_json::from_slice(input.0).ok();
    let parts = RequestParts { secret: &SECRET, ts, entry: &entry, rid: &rid, args: args.as_ref() };
    let exact = args.is_none()
        || whole_numbers_fit(args.as_ref().map(Value::to_string).unwrap_or_default().as_bytes());
    match message_text(&parts) {
        Ok(text) => {
            assert!(text.len() >= 512 && text.len().is_power_of_two() && text.len() <= MAX_MESSAGE);
            let Ok(text) = std::str::from_utf8(&text) else { panic!("not text: {text:?}") };
            assert_eq!(message(text), Ok(Message { secret: SECRET.digest(), ts, entry, rid, args, exact }));
        }
        Err(DecodeError::Depth) => {
            assert!(Tree::read(input.0).is_some_and(|tree| tree.levels() >= MAX_DEPTH));
        }
        Err(error) => assert!(error == DecodeError::Size && input.0.len() > MAX_MESSAGE / 16, "{error}"),
    }
}

/// The first byte chooses: M' as it stands there, or made of its parts.
pub(crate) fn check_answer(data: &[u8]) {
    let mut input = Input(data);
    let how = input.byte();
    if how & 1 == 1 {
        return check_answered(how, input);
    }
    let Ok(text) = std::str::from_utf8(input.0) else { return };
    let read = bounded(input.0, || answer(text, &RID));
    assert_eq!(read.ok(), expected_answer(input.0));
}

fn expected_answer(json: &[u8]) -> Option<Answer> {
    let tree = Tree::read(json).filter(|tree| tree.levels() <= ANSWER_DEPTH && !tree.has_doubles())?;
    let Value::Object(members) = tree.value() else { return None };
    let rid = decode_url(members.get("rid")?.as_str()?).ok()?;
    (rid == RID.as_bytes()).then_some(())?;
    let outcome = match (members.get("value"), members.get("error")) {
        (Some(value), None) => Ok(value.clone()),
        (None, Some(Value::Object(error))) => Err(Failure {
            code: code(error.get("code")?.as_str()?),
            message: error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
            not_before: error.get("not_before").and_then(Value::as_u64),
        }),
        _ => return None,
    };
    let req = members.get("req")?.as_str()?.to_owned();
    Some(Answer { ts: members.get("ts")?.as_u64()?, req, outcome })
}

fn code(name: &str) -> FailureCode {
    ErrorCode::from_name(name).map_or_else(|| FailureCode::Unknown(name.to_owned()), FailureCode::Known)
}

/// What the server seals opens for its request as it was meant, and for no other; changed, it opens for none.
fn check_answered(how: u8, mut input: Input<'_>) {
    let (ts, rid, place) =
        (u64::from_be_bytes(input.array()), input.array(), u16::from_be_bytes(input.array()));
    let req = input.text();
    let outcome = if how & 2 == 0 {
        serde_json::from_slice::<Value>(input.0).map_err(|error| error.to_string())
    } else {
        Err(input.text())
    };
    let not_before = (how & 4 != 0).then_some(ts);
    let outcome = outcome.map_err(|message| Failure { code: code(&req), message, not_before });
    let (rid, other) = (Rid::from_bytes(rid), Rid::from_bytes(rid.map(|byte| !byte)));
    let answer = Answer { ts, req, outcome };
    if answer.outcome.as_ref().is_ok_and(|value| levels(value) > MAX_VALUE_DEPTH) {
        return;
    }
    check_sealed_answer(&rid, &answer);
    let body = PAIR.seal_answer_from(&rid, &answer, [9; 24]);
    assert_eq!(PAIR.open_answer(&other, body.as_bytes()), Err(DecodeError::Sealed));
    let Ok(mut bytes) = decode_url(body.trim_start_matches("{\"value\":\"").trim_end_matches("\"}\n")) else {
        panic!("not base64: {body}")
    };
    flip(&mut bytes, place);
    let body = format!("{{\"value\":\"{}\"}}", encode_url(&bytes));
    assert_eq!(PAIR.open_answer(&rid, body.as_bytes()), Err(DecodeError::Sealed));
}

/// An answer comes out as it went in.
pub(crate) fn check_sealed_answer(rid: &Rid, answer: &Answer) {
    let body = PAIR.seal_answer_from(rid, answer, [9; 24]);
    assert_eq!(bounded(body.as_bytes(), || PAIR.open_answer(rid, body.as_bytes())).as_ref(), Ok(answer));
}

/// The first byte chooses: any sealed bytes, any bytes under a good seal, the same changed, or any M under both.
pub(crate) fn check_seal(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => assert!(bounded(input.0, || Outer::open(&SERVER, input.0)).is_err(), "nobody sealed this"),
        1 => check_inner(input.0),
        2 => {
            let place = u16::from_be_bytes(input.array());
            let mut sealed = seal_from(&EPHEMERAL, SERVER.public(), input.0);
            flip(&mut sealed, place);
            assert!(Outer::open(&SERVER, &sealed).is_err());
        }
        _ => check_sealed_message(input.0),
    }
}

fn check_inner(inner: &[u8]) {
    let sealed = seal_from(&EPHEMERAL, SERVER.public(), inner);
    let expected = match inner {
        _ if !(105 - 32..=105 + MAX_MESSAGE).contains(&inner.len()) => None,
        [1, rest @ ..] => rest.first_chunk::<32>(),
        _ => None,
    };
    match bounded(&sealed, || Outer::open(&SERVER, &sealed)) {
        Ok(outer) => {
            assert_eq!(Some(&outer.client), expected);
            assert_eq!(outer.message(&PAIR), Err(DecodeError::Sealed), "nobody sealed this");
        }
        Err(_) => assert_eq!(expected, None),
    }
}

/// The way through both seals says what the reader of M says.
fn check_sealed_message(plain: &[u8]) {
    let body = PAIR.request_from(plain, &EPHEMERAL, [9; 24]);
    let Ok(Body::Envelope(sealed)) = Body::parse(body.as_bytes()) else { panic!("not read: {body}") };
    let outer = match Outer::open(&SERVER, &sealed) {
        Ok(outer) => outer,
        Err(error) => return assert!(error == DecodeError::Size && plain.len() > MAX_MESSAGE, "{error}"),
    };
    assert_eq!(&outer.client, CLIENT.public().as_bytes());
    let read = bounded(plain, || outer.message(&PAIR));
    match std::str::from_utf8(plain) {
        Ok(text) => assert_eq!(read, message(text)),
        Err(_) => assert_eq!(read, Err(DecodeError::Utf8)),
    }
}
