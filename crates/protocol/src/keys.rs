//! Key pairs and client secrets, each checked once when it is made.

use std::fmt;
use std::str::FromStr;

use crypto_box::aead::rand_core::CryptoRngCore;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use x25519_dalek::{SharedSecret, StaticSecret};
use zeroize::Zeroizing;

use crate::checksum::crc32;
use crate::encoding;
use crate::error::KeyError;

/// An X25519 public key that is canonical and not of low order.
///
/// Its text form is standard padded base64 of the 32 bytes, 44 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Checks a point received from outside.
    ///
    /// # Errors
    /// [`KeyError::NotCanonical`] for a u-coordinate of 2²⁵⁵−19 or more (the top bit included),
    /// [`KeyError::LowOrder`] when every shared key with it would be zero (RFC 7748 section 6.1).
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        if !Self::is_canonical(&bytes) {
            return Err(KeyError::NotCanonical);
        }
        let probe = StaticSecret::from([1; 32]);
        if !probe.diffie_hellman(&x25519_dalek::PublicKey::from(bytes)).was_contributory() {
            return Err(KeyError::LowOrder);
        }
        Ok(Self(bytes))
    }

    /// Takes a key that was checked before it was stored, without the cost of another check (50 µs).
    #[must_use]
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// True below 2²⁵⁵−19, so that one point has one encoding.
    pub(crate) fn is_canonical(bytes: &[u8; 32]) -> bool {
        let [first, middle @ .., last] = bytes;
        match last {
            0x80.. => false,
            0x7f => *first < 0xed || middle.iter().any(|byte| *byte != 0xff),
            _ => true,
        }
    }

    /// The 32 bytes of the u-coordinate, little-endian.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// SHA-256 of the key: how logs, audit and guard name a client.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }

    /// The first 16 hex digits of the digest in groups of four, for a person to compare.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.digest().fingerprint()
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(encoding::decode_key(text)?)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&encoding::encode_standard(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// An X25519 private key with its public half, wiped when dropped; never printed.
#[derive(Clone)]
pub struct PrivateKey {
    scalar: StaticSecret,
    public: PublicKey,
}

impl PrivateKey {
    /// Draws a new key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        Self::from_bytes(&bytes)
    }

    /// Takes the 32 bytes of a private key; every value is legal (RFC 7748 clamps them).
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let scalar = StaticSecret::from(*bytes);
        let public = PublicKey(x25519_dalek::PublicKey::from(&scalar).to_bytes());
        Self { scalar, public }
    }

    /// Reads standard padded base64 of 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::Encoding`] or [`KeyError::Length`].
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        Ok(Self::from_bytes(&Zeroizing::new(encoding::decode_key(text)?)))
    }

    /// The text form kept in `*.key` files: 44 characters, no newline.
    #[must_use]
    pub fn dangerously_to_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(encoding::encode_standard(self.scalar.as_bytes()))
    }

    /// The 32 private bytes, as a key for deriving others.
    #[must_use]
    pub fn dangerously_as_bytes(&self) -> &[u8; 32] {
        self.scalar.as_bytes()
    }

    /// The public half, computed once.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// X25519 with any 32 bytes; the caller decides what a non-contributory result means.
    #[must_use]
    pub fn diffie_hellman(&self, point: &[u8; 32]) -> SharedSecret {
        self.scalar.diffie_hellman(&x25519_dalek::PublicKey::from(*point))
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(of {})", self.public)
    }
}

/// A client secret: 64 random bytes as 128 lower-case hex digits, wiped when dropped; never printed.
///
/// Its CRC-32 is never zero, because a classic `check` of zero cannot be sent.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Draws a new secret, again if its CRC-32 is zero.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        loop {
            let mut bytes = Zeroizing::new([0; 64]);
            rng.fill_bytes(bytes.as_mut());
            let text = Zeroizing::new(hex::encode(bytes.as_ref()));
            if crc32(text.as_bytes()) != 0 {
                return Self(text);
            }
        }
    }

    /// Reads exactly 128 lower-case hex digits.
    ///
    /// # Errors
    /// [`SecretError`] for any other text, and for one whose CRC-32 is zero.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let legal = text.len() == 128 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !legal || crc32(text.as_bytes()) == 0 {
            return Err(SecretError);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The 128 digits themselves.
    #[must_use]
    pub fn dangerously_as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the 128 digits, as the registry keeps it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// CRC-32 (IEEE) of the 128 digits.
    #[must_use]
    pub fn check(&self) -> u32 {
        crc32(self.0.as_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The key of a REST caller, wiped when dropped; never printed.
///
/// Its text is `msp_` and 32 random bytes as base64 with the URL-safe alphabet, without padding: 47 characters.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// What each key starts with, so that tools that search for leaked secrets find it.
    const PREFIX: &str = "msp_";

    /// Draws a new key.
    pub fn generate(rng: &mut impl CryptoRngCore) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill_bytes(bytes.as_mut());
        let mut text = Zeroizing::new(String::with_capacity(Self::PREFIX.len() + 44));
        text.push_str(Self::PREFIX);
        encoding::encode_url_bare_onto(&mut text, bytes.as_ref());
        Self(text)
    }

    /// The 47 characters themselves.
    #[must_use]
    pub fn dangerously_as_str(&self) -> &str {
        &self.0
    }

    /// SHA-256 of the text, as the registry keeps it; a door makes it of whatever text it is shown.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

/// A SHA-256; shown as 64 lower-case hex digits and compared in constant time.
#[derive(Clone, Copy, Eq, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Hashes the bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Takes 32 bytes that are a digest already.
    #[must_use]
    pub const fn from_stored(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its first 16 hex digits in groups of four, for a person to compare.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let hex = self.to_string();
        hex.as_bytes().chunks(4).take(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::hash::Hash for Digest {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text that is no client secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a client secret (128 lower-case hex digits)")]
pub struct SecretError;

#[cfg(test)]
mod tests;
