//! The classic shape: four values, each a NaCl box of its own, and an answer of one.
//!
//! Its values cannot be bound together: a watcher can join values of different requests once the guard has forgotten
//! their nonces. Functions that write are closed to it.

use std::fmt;

use crypto_box::aead::rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

use crate::UnixSecond;
use crate::checksum::{crc32, from_bytes, least_bytes};
use crate::encoding::{decode_lenient, encode_url, encode_url_onto};
use crate::error::DecodeError;
use crate::json_object::object;
use crate::keys::{Digest, PrivateKey, Secret};
use crate::names::FunctionName;
use crate::sealing::{BoxKey, KeyedHash, NONCE, TAG, TRIED};

/// The personalisation of the key that marks our own answers' nonces.
const REPLY_TAG: &[u8] = b"msp1 replytag";
/// The random part of such a nonce; the tag fills the rest.
const RANDOM: usize = 16;

/// One value: base64url of nonce, tag and ciphertext.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// 24 bytes, fresh for each value.
    pub nonce: [u8; NONCE],
    boxed: Vec<u8>,
}

impl Value {
    pub(crate) fn parse(text: &str) -> Result<Self, DecodeError> {
        let mut bytes = decode_lenient(text)?;
        let (nonce, boxed) = bytes.split_first_chunk::<NONCE>().ok_or(DecodeError::Size)?;
        if boxed.len() < TAG {
            return Err(DecodeError::Size);
        }
        let nonce = *nonce;
        bytes.drain(..NONCE);
        Ok(Self { nonce, boxed: bytes })
    }

    fn seal(key: &BoxKey, nonce: [u8; NONCE], plaintext: &[u8]) -> Self {
        Self { nonce, boxed: key.seal(&nonce, plaintext) }
    }

    fn open(&self, key: &BoxKey) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        key.open(&self.nonce, &self.boxed).ok_or(DecodeError::Sealed)
    }

    fn text(&self) -> String {
        encode_url(&[&self.nonce, self.boxed.as_slice()].concat())
    }
}

/// The four values of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub(crate) id: Value,
    pub(crate) check: Value,
    pub(crate) ts: Value,
    pub(crate) entry: Value,
}

/// What a request says, once a key has opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The digest of the secret.
    pub secret: Digest,
    /// When it was made.
    pub ts: UnixSecond,
    /// The function it names.
    pub entry: FunctionName,
}

#[derive(Serialize)]
struct Members {
    id: String,
    check: String,
    ts: String,
    entry: String,
}

impl Request {
    /// The nonces of `id`, `check`, `ts` and `entry`.
    #[must_use]
    pub const fn nonces(&self) -> [[u8; NONCE]; 4] {
        [self.id.nonce, self.check.nonce, self.ts.nonce, self.entry.nonce]
    }

    /// True when one nonce stands twice.
    #[must_use]
    pub fn holds_a_nonce_twice(&self) -> bool {
        let mut nonces = self.nonces();
        nonces.sort_unstable();
        nonces.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    }

    /// True when its values are no longer than values may be; nothing else is worth a search.
    ///
    /// A function's name has at most 128 bytes, so the shortest of the four has no more, and a key is tried on that one.
    #[must_use]
    pub fn may_open(&self) -> bool {
        self.shortest().boxed.len() <= TRIED + TAG
    }

    /// Tries a key on the shortest of the four values, which costs least.
    #[must_use]
    pub fn opens_with(&self, key: &BoxKey) -> bool {
        let shortest = self.shortest();
        key.fits(&shortest.nonce, &shortest.boxed)
    }

    fn shortest(&self) -> &Value {
        let rest = [&self.ts, &self.entry, &self.id];
        rest.into_iter().fold(
            &self.check,
            |least, value| if value.boxed.len() < least.boxed.len() { value } else { least },
        )
    }

    /// Opens all four values and checks them against each other.
    ///
    /// # Errors
    /// [`DecodeError::Sealed`] when the key does not open all, then, in this order, [`DecodeError::IntegerRange`],
    /// [`DecodeError::Empty`], [`DecodeError::Checksum`], [`DecodeError::Utf8`] and [`DecodeError::Name`].
    pub fn open(&self, key: &BoxKey) -> Result<Opened, DecodeError> {
        let (id, check) = (self.id.open(key)?, self.check.open(key)?);
        let (ts, entry) = (self.ts.open(key)?, self.entry.open(key)?);
        let (check, ts) = (from_bytes(&check)?, from_bytes(&ts)?);
        if id.is_empty() || entry.is_empty() || check == 0 || ts == 0 {
            return Err(DecodeError::Empty);
        }
        if check != u64::from(crc32(&id)) {
            return Err(DecodeError::Checksum);
        }
        let entry = std::str::from_utf8(&entry).map_err(|_| DecodeError::Utf8)?;
        let entry = entry.parse().map_err(|_| DecodeError::Name)?;
        Ok(Opened { secret: Digest::of(&id), ts, entry })
    }

    /// Makes the body of a request with fresh nonces.
    pub fn build(
        key: &BoxKey,
        secret: &Secret,
        ts: UnixSecond,
        entry: &FunctionName,
        rng: &mut impl CryptoRngCore,
    ) -> String {
        let nonces = std::array::from_fn(|_| fresh(rng));
        Self::build_from(key, secret.dangerously_as_str(), ts, entry.as_str(), nonces)
    }

    /// Makes the body of a request with given nonces (`id`, `check`, `ts`, `entry`), for known-answer vectors; a
    /// nonce used for two plaintexts reveals both.
    #[must_use]
    pub fn build_from(
        key: &BoxKey,
        id: &str,
        ts: UnixSecond,
        entry: &str,
        nonces: [[u8; NONCE]; 4],
    ) -> String {
        let [id_nonce, check_nonce, ts_nonce, entry_nonce] = nonces;
        let check = least_bytes(crc32(id.as_bytes()).into());
        let members = Members {
            id: Value::seal(key, id_nonce, id.as_bytes()).text(),
            check: Value::seal(key, check_nonce, &check).text(),
            ts: Value::seal(key, ts_nonce, &least_bytes(ts)).text(),
            entry: Value::seal(key, entry_nonce, entry.as_bytes()).text(),
        };
        // A struct of strings always has a JSON form.
        serde_json::to_string(&members).unwrap_or_default()
    }
}

fn fresh(rng: &mut impl CryptoRngCore) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    rng.fill_bytes(&mut nonce);
    nonce
}

/// Marks the nonces of our own answers: 16 random bytes and 8 of their BLAKE2b under a key of the server's own.
///
/// One key serves both directions of the classic shape, so that an answer would else be a legal value of a request.
pub struct ReplyTag(KeyedHash);

impl ReplyTag {
    /// Keys the mark with the server's private key.
    #[must_use]
    pub fn new(server: &PrivateKey) -> Self {
        Self(KeyedHash::new(server.dangerously_as_bytes(), REPLY_TAG))
    }

    /// A fresh nonce with our mark.
    pub fn nonce(&self, rng: &mut impl CryptoRngCore) -> [u8; NONCE] {
        let mut random = [0; RANDOM];
        rng.fill_bytes(&mut random);
        let mut nonce = [0; NONCE];
        for (to, from) in nonce.iter_mut().zip(random.iter().chain(&self.tag(&random))) {
            *to = *from;
        }
        nonce
    }

    /// True when one of the nonces bears our mark; compares all of them, in constant time.
    #[must_use]
    pub fn marks_any(&self, nonces: &[[u8; NONCE]; 4]) -> bool {
        let marked = nonces.iter().map(|nonce| {
            let (random, tag) = nonce.split_at(RANDOM);
            tag.ct_eq(&self.tag(random))
        });
        marked.fold(Choice::from(0), |any, one| any | one).into()
    }

    fn tag(&self, random: &[u8]) -> [u8; NONCE - RANDOM] {
        let [a, b, c, d, e, f, g, h, ..] = self.0.of(random);
        [a, b, c, d, e, f, g, h]
    }
}

impl fmt::Debug for ReplyTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReplyTag(…)")
    }
}

/// The body of an answer; both shapes have this form.
#[derive(Serialize, Deserialize)]
pub(crate) struct ValueBody {
    pub(crate) value: String,
}

impl ValueBody {
    /// `{"value":"…"}` and a newline, as the original writes it, of nonce, tag and ciphertext.
    pub(crate) fn sealed(key: &BoxKey, nonce: &[u8; NONCE], plaintext: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(NONCE + TAG + plaintext.len());
        bytes.extend_from_slice(nonce);
        key.seal_onto(&mut bytes, nonce, plaintext);
        let (before, after) = ("{\"value\":\"", "\"}\n");
        let mut line = String::with_capacity(before.len() + bytes.len().div_ceil(3) * 4 + after.len());
        line.push_str(before);
        encode_url_onto(&mut line, &bytes);
        line.push_str(after);
        line
    }
}

/// Makes the body of an answer.
pub fn seal_reply(key: &BoxKey, tag: &ReplyTag, text: &str, rng: &mut impl CryptoRngCore) -> String {
    seal_reply_from(key, tag.nonce(rng), text)
}

/// Makes the body of an answer with a given nonce, for known-answer vectors.
#[must_use]
pub fn seal_reply_from(key: &BoxKey, nonce: [u8; NONCE], text: &str) -> String {
    ValueBody::sealed(key, &nonce, text.as_bytes())
}

/// Reads the one value of an answer, still sealed.
pub(crate) fn parse_reply(body: &[u8]) -> Result<Value, DecodeError> {
    let body: ValueBody = object(body)?;
    Value::parse(&body.value)
}

/// Opens an answer on the client's side.
///
/// # Errors
/// [`DecodeError::Json`], [`DecodeError::Base64`], [`DecodeError::Size`], [`DecodeError::Sealed`] or
/// [`DecodeError::Utf8`].
pub fn open_reply(key: &BoxKey, body: &[u8]) -> Result<String, DecodeError> {
    let text = parse_reply(body)?.open(key)?;
    String::from_utf8(text.to_vec()).map_err(|_| DecodeError::Utf8)
}
