//! The envelope shape: one authenticated message, sealed for the server, answered under a key of its own.
//!
//! `sealed = crypto_box_seal(server public, 0x01 ‖ client public ‖ nonce[24] ‖ secretbox(k_req, nonce, M))`; the keys
//! come from one X25519 of client and server that is computed once per client. See docs/PROTOCOL.md.

mod answer;
#[doc(hidden)]
pub mod fuzzing;
mod json;
mod padding;

use std::fmt;

use crypto_box::aead::rand_core::CryptoRngCore;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::UnixSecond;
use crate::checksum::crc32;
use crate::encoding::{decode_url, encode_url};
use crate::error::DecodeError;
use crate::keys::{Digest, PrivateKey, PublicKey, Secret};
use crate::names::FunctionName;
use crate::sealing::{self, BoxKey, NONCE, TAG, kdf};

pub use answer::{Answer, Failure, FailureCode, MAX_VALUE_DEPTH};
pub use json::{BEYOND_64_BITS, MAX_DEPTH, levels, whole_numbers_fit};

/// The version byte.
const VERSION: u8 = 0x01;
/// The largest message M, padding included, in bytes.
pub const MAX_MESSAGE: usize = 32 * 1024;
/// Version, client key, nonce and tag around M.
const AROUND: usize = 1 + 32 + NONCE + TAG;

/// The 16 random bytes that name one request; its text form is base64url with padding.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rid([u8; 16]);

impl Rid {
    /// Draws a new one.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Takes 16 given bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    fn parse(text: &str) -> Result<Self, DecodeError> {
        decode_url(text)?.try_into().map(Self).map_err(|_| DecodeError::Size)
    }
}

impl fmt::Display for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encode_url(&self.0))
    }
}

impl fmt::Debug for Rid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rid({self})")
    }
}

/// The keys of one client and the server; derived once, wiped when dropped.
pub struct PairKeys {
    dh: Zeroizing<[u8; 32]>,
    /// Server's, then client's public key: what every derived key is bound to.
    parties: [[u8; 32]; 2],
    request: BoxKey,
}

impl PairKeys {
    /// The server's side; none when the point agrees on nothing.
    #[must_use]
    pub fn of_server(server: &PrivateKey, client: &PublicKey) -> Option<Self> {
        Self::agree(server, client, [*server.public().as_bytes(), *client.as_bytes()])
    }

    /// The client's side; none when the point agrees on nothing.
    #[must_use]
    pub fn of_client(client: &PrivateKey, server: &PublicKey) -> Option<Self> {
        Self::agree(client, server, [*server.as_bytes(), *client.public().as_bytes()])
    }

    /// Keys that open nothing, so that an unknown client costs what a known one does.
    pub fn dummy(rng: &mut impl CryptoRngCore) -> Self {
        let mut dh = Zeroizing::new([0; 32]);
        rng.fill_bytes(dh.as_mut());
        Self::derive(dh, [[0; 32]; 2])
    }

    fn agree(private: &PrivateKey, public: &PublicKey, parties: [[u8; 32]; 2]) -> Option<Self> {
        let shared = private.diffie_hellman(public.as_bytes());
        shared.was_contributory().then(|| Self::derive(Zeroizing::new(shared.to_bytes()), parties))
    }

    fn derive(dh: Zeroizing<[u8; 32]>, parties: [[u8; 32]; 2]) -> Self {
        let [server, client] = &parties;
        let request = BoxKey::of_secretbox(&kdf(&dh, b"msp1 request", &[server, client]));
        Self { dh, parties, request }
    }

    /// The key of the one answer to this request.
    #[must_use]
    pub fn answer_key(&self, rid: &Rid) -> BoxKey {
        let [server, client] = &self.parties;
        BoxKey::of_secretbox(&kdf(&self.dh, b"msp1 answer", &[server, client, rid.as_bytes()]))
    }

    /// Makes the body of a request, on the client's side.
    ///
    /// # Errors
    /// [`DecodeError::Size`] when the message would be over 32 KiB, [`DecodeError::Depth`] when the arguments are nested
    /// too deeply: what the server would refuse is not sent.
    pub fn request(
        &self,
        parts: &RequestParts<'_>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<String, DecodeError> {
        let ephemeral = PrivateKey::generate(rng);
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let message = parts.message()?;
        Ok(self.request_from(&message, &ephemeral, nonce))
    }

    /// Makes a body of any message with given nonce and ephemeral key, for known-answer vectors; neither may ever be
    /// used twice.
    #[must_use]
    pub fn request_from(&self, message: &[u8], ephemeral: &PrivateKey, nonce: [u8; NONCE]) -> String {
        let [server, client] = &self.parties;
        let boxed = self.request.seal(&nonce, message);
        let inner = [&[VERSION][..], client, &nonce, &boxed].concat();
        format!(
            "{{\"sealed\":\"{}\"}}",
            encode_url(&sealing::seal_from(ephemeral, &PublicKey::from_stored(*server), &inner))
        )
    }
}

impl fmt::Debug for PairKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairKeys(…)")
    }
}

/// What a request is made of, on the client's side.
#[derive(Debug)]
pub struct RequestParts<'a> {
    /// The client's secret.
    pub secret: &'a Secret,
    /// The Unix second of the request, on the server's clock as far as known.
    pub ts: UnixSecond,
    /// The function.
    pub entry: &'a FunctionName,
    /// Fresh for each request.
    pub rid: &'a Rid,
    /// The arguments, if there are any.
    pub args: Option<&'a Value>,
}

#[derive(Serialize)]
struct Members<'a> {
    id: &'a str,
    check: u32,
    ts: UnixSecond,
    entry: &'a FunctionName,
    rid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<&'a Value>,
}

impl RequestParts<'_> {
    /// M, padded.
    fn message(&self) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
        if self.args.is_some_and(|args| json::levels(args) >= MAX_DEPTH) {
            return Err(DecodeError::Depth);
        }
        let members = Members {
            id: self.secret.dangerously_as_str(),
            check: self.secret.check(),
            ts: self.ts,
            entry: self.entry,
            rid: self.rid.to_string(),
            args: self.args,
        };
        // Room for the largest message, so that growing leaves no copy of the secret behind.
        let mut message = Zeroizing::new(Vec::with_capacity(MAX_MESSAGE));
        serde_json::to_writer(&mut *message, &members).map_err(|_| DecodeError::Json)?;
        if message.len() > MAX_MESSAGE {
            return Err(DecodeError::Size);
        }
        padding::pad(&mut message);
        Ok(message)
    }
}

/// A request whose seal is open; the client key in it is a claim until [`Outer::message`] opens.
pub struct Outer {
    /// The public key that the client claims; 32 bytes to look up, not a checked key.
    pub client: [u8; 32],
    nonce: [u8; NONCE],
    boxed: Vec<u8>,
}

impl Outer {
    /// Opens the seal, with one X25519.
    ///
    /// # Errors
    /// [`DecodeError::Size`], [`DecodeError::Point`], [`DecodeError::Sealed`] or [`DecodeError::Version`].
    pub fn open(server: &PrivateKey, sealed: &[u8]) -> Result<Self, DecodeError> {
        if sealed.len() < sealing::SEAL_OVERHEAD + AROUND {
            return Err(DecodeError::Size);
        }
        let inner = sealing::open_seal(server, sealed)?;
        let (version, rest) = inner.split_first().ok_or(DecodeError::Size)?;
        if *version != VERSION {
            return Err(DecodeError::Version);
        }
        if rest.len() > AROUND - 1 + MAX_MESSAGE {
            return Err(DecodeError::Size);
        }
        let (client, rest) = rest.split_first_chunk().ok_or(DecodeError::Size)?;
        let (nonce, boxed) = rest.split_first_chunk().ok_or(DecodeError::Size)?;
        Ok(Self { client: *client, nonce: *nonce, boxed: boxed.to_vec() })
    }

    /// Opens the message with the keys of the claimed client, which proves the claim.
    ///
    /// # Errors
    /// [`DecodeError::Sealed`] for other keys, else what is wrong with the message.
    pub fn message(&self, keys: &PairKeys) -> Result<Message, DecodeError> {
        let plain = keys.request.open(&self.nonce, &self.boxed).ok_or(DecodeError::Sealed)?;
        Message::parse(std::str::from_utf8(&plain).map_err(|_| DecodeError::Utf8)?)
    }
}

impl fmt::Debug for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outer(…)")
    }
}

/// What an envelope says; its checksum fits.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The digest of the secret.
    pub secret: Digest,
    /// When it was made.
    pub ts: UnixSecond,
    /// The function it names.
    pub entry: FunctionName,
    /// What names this request.
    pub rid: Rid,
    /// The arguments, if there are any.
    pub args: Option<Value>,
    /// False when they are not what was sent, since a whole number in them is beyond 64 bits.
    pub exact: bool,
}

impl Message {
    fn parse(text: &str) -> Result<Self, DecodeError> {
        let Value::Object(mut members) = json::parse(text, MAX_DEPTH)? else {
            return Err(DecodeError::Json);
        };
        let Some(Value::String(id)) = members.remove("id") else {
            return Err(DecodeError::Json);
        };
        let id = Zeroizing::new(id);
        let args = members.remove("args");
        let exact = args.is_none() || json::whole_numbers_fit(text.as_bytes());
        let text = |name| members.get(name).and_then(Value::as_str).ok_or(DecodeError::Json);
        let integer = |name| members.get(name).and_then(Value::as_u64).ok_or(DecodeError::Json);
        if id.is_empty() {
            return Err(DecodeError::Empty);
        }
        if u32::try_from(integer("check")?).map_err(|_| DecodeError::IntegerRange)? != crc32(id.as_bytes()) {
            return Err(DecodeError::Checksum);
        }
        Ok(Self {
            secret: Digest::of(id.as_bytes()),
            ts: integer("ts")?,
            entry: text("entry")?.parse().map_err(|_| DecodeError::Name)?,
            rid: Rid::parse(text("rid")?)?,
            args,
            exact,
        })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({}, …)", self.rid)
    }
}
