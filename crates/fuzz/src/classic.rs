//! The classic shape behind its boxes: any four plaintexts under a good key, and any answer.

use msp_protocol::checksum::{crc32, least_bytes};
use msp_protocol::classic::{Request, open_reply, seal_reply_from};
use msp_protocol::encoding::{encode_standard, encode_url};
use msp_protocol::sealing::{TAG, TRIED};
use msp_protocol::{Body, DecodeError, Digest, FunctionName};

use crate::bounded;
use crate::input::{Input, flip};
use crate::parties::{BOX, REPLY_TAG};

const GOOD_CHECK: u8 = 1;
const STANDARD: u8 = 2;
const SAME_NONCE: u8 = 4;
const FLIP: u8 = 8;

pub(crate) fn check(data: &[u8]) {
    let mut input = Input(data);
    let (how, place) = (input.byte(), u16::from_be_bytes(input.array()));
    let (id, ts, entry) = (input.part(), input.part(), input.part());
    let check = if how & GOOD_CHECK != 0 { least_bytes(crc32(id).into()) } else { input.0.to_vec() };
    let plain = [id, &check, ts, entry];
    let mut nonces = [[10; 24], [11; 24], [12; 24], [13; 24]];
    if how & SAME_NONCE != 0 {
        let [first, .., last] = &mut nonces;
        *last = *first;
    }
    let mut boxed: Vec<Vec<u8>> = nonces
        .iter()
        .zip(plain)
        .map(|(nonce, plain)| [nonce.as_slice(), &BOX.seal(nonce, plain)].concat())
        .collect();
    let flipped = how & FLIP != 0;
    if flipped && let Some(value) = boxed.get_mut(usize::from(how >> 6)) {
        flip(value, place);
    }
    let encode = if how & STANDARD != 0 { encode_standard } else { encode_url };
    let texts = boxed.iter().zip(["id", "check", "ts", "entry"]);
    let texts = texts.map(|(bytes, name)| format!("\"{name}\":\"{}\"", encode(bytes))).collect::<Vec<_>>();
    let body = format!("{{{}}}", texts.join(","));
    let Ok(Body::Classic(request)) = Body::parse(body.as_bytes()) else { panic!("not read: {body}") };
    let opened = bounded(body.as_bytes(), || request.open(&BOX));
    assert!(opened.is_err() || request.may_open(), "no search would find {body}");
    check_tried(&boxed, &request);
    if flipped {
        assert_eq!(opened, Err(DecodeError::Sealed));
        return;
    }
    assert_eq!(request.holds_a_nonce_twice(), how & SAME_NONCE != 0);
    assert!(request.nonces() == nonces && !REPLY_TAG.marks_any(&nonces));
    let opened = opened.ok().map(|opened| (opened.secret, opened.ts, opened.entry));
    assert_eq!(opened, expected(id, &check, ts, entry));
    if let Some((_, ts, name)) = opened.filter(|_| how & (STANDARD | SAME_NONCE) == 0)
        && let Ok(id) = std::str::from_utf8(id)
    {
        check_built(id, ts, &name, nonces);
    }
    check_reply(&body, entry);
}

/// Trying a key says what opening says, for all that is short enough to be tried.
fn check_tried(boxed: &[Vec<u8>], request: &Request) {
    let tried = boxed.iter().filter_map(|value| {
        let (nonce, boxed) = value.split_first_chunk()?;
        let fits = BOX.fits(nonce, boxed);
        assert_eq!(fits, boxed.len() <= TAG + TRIED && BOX.open(nonce, boxed).is_some());
        Some((boxed.len(), fits))
    });
    let tried: Vec<_> = tried.collect();
    let shortest = tried.iter().map(|(length, _)| *length).min().unwrap_or_default();
    assert_eq!(request.may_open(), shortest <= TAG + TRIED);
    // Which one of equally short values is tried is not said.
    assert!(tried.contains(&(shortest, request.opens_with(&BOX))));
}

fn expected(id: &[u8], check: &[u8], ts: &[u8], entry: &[u8]) -> Option<(Digest, u64, FunctionName)> {
    let number = |bytes: &[u8]| {
        let significant = bytes.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
        let zeros = 8_usize.checked_sub(significant.len())?;
        let eight = [vec![0; zeros], significant].concat();
        Some(u64::from_be_bytes(eight.try_into().ok()?)).filter(|number| *number != 0)
    };
    let name = std::str::from_utf8(entry).ok()?.parse().ok()?;
    let fits = !id.is_empty() && number(check)? == u64::from(crc32(id));
    fits.then_some((Digest::of(id), number(ts)?, name))
}

/// What opens is what a client builds from what was opened.
fn check_built(id: &str, ts: u64, entry: &FunctionName, nonces: [[u8; 24]; 4]) {
    let built = Request::build_from(&BOX, id, ts, entry.as_str(), nonces);
    let Ok(Body::Classic(built)) = Body::parse(built.as_bytes()) else { panic!("not read: {built}") };
    let Ok(opened) = built.open(&BOX) else { panic!("not opened: {built:?}") };
    assert_eq!((opened.secret, opened.ts, &opened.entry), (Digest::of(id.as_bytes()), ts, entry));
}

fn check_reply(request: &str, plain: &[u8]) {
    for (nonce, is_reflected) in [([10; 24], true), ([20; 24], false)] {
        let value = encode_url(&[nonce.as_slice(), &BOX.seal(&nonce, plain)].concat());
        let reply = format!("{{\"value\":\"{value}\"}}\n");
        assert_eq!(Body::is_reflection(request, reply.as_bytes()), is_reflected);
        let text = bounded(reply.as_bytes(), || open_reply(&BOX, reply.as_bytes()));
        assert_eq!(text.as_deref().ok(), std::str::from_utf8(plain).ok());
        if let Ok(text) = text {
            assert_eq!(seal_reply_from(&BOX, nonce, &text), reply);
        }
    }
}
