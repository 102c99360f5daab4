//! NaCl boxes and sealed boxes, opened with precomputed keys and the stored public key.

use std::fmt;

use blake2::digest::consts::{U24, U32};
use blake2::digest::core_api::{Block, Buffer, UpdateCore as _, VariableOutputCore as _};
use blake2::digest::{FixedOutput as _, Update};
use blake2::{Blake2b, Blake2bMac, Blake2bVarCore, Digest as _};
use crypto_box::aead::generic_array::GenericArray;
use crypto_box::aead::rand_core::CryptoRngCore;
use crypto_secretbox::XSalsa20Poly1305;
use crypto_secretbox::aead::{Aead as _, AeadInPlace as _, KeyInit as _};
use salsa20::cipher::consts::U10;
use x25519_dalek::SharedSecret;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::DecodeError;
use crate::keys::{PrivateKey, PublicKey};

/// The bytes of a nonce.
pub const NONCE: usize = 24;
/// The bytes of an authentication tag.
pub const TAG: usize = 16;
/// The most bytes of plaintext that keys are tried on.
pub const TRIED: usize = 128;
/// What a sealed box is longer than its plaintext: ephemeral key and tag.
pub const SEAL_OVERHEAD: usize = 32 + TAG;

/// The precomputed key of NaCl's `crypto_box` for one pair; the same from both sides, wiped when dropped.
#[derive(Clone)]
pub struct BoxKey(XSalsa20Poly1305);

impl BoxKey {
    /// Agrees on the key: HSalsa20 of the X25519 result with sixteen zero bytes.
    #[must_use]
    pub fn agree(private: &PrivateKey, public: &PublicKey) -> Self {
        Self::of_shared(&private.diffie_hellman(public.as_bytes()))
    }

    fn of_shared(shared: &SharedSecret) -> Self {
        let zeros = GenericArray::default();
        let mut key = salsa20::hsalsa::<U10>(GenericArray::from_slice(shared.as_bytes()), &zeros);
        let cipher = XSalsa20Poly1305::new(&key);
        key.as_mut_slice().zeroize();
        Self(cipher)
    }

    /// Uses 32 bytes as a key of NaCl's `crypto_secretbox`, which is what a precomputed box is.
    pub(crate) fn of_secretbox(key: &[u8; 32]) -> Self {
        Self(XSalsa20Poly1305::new(GenericArray::from_slice(key)))
    }

    /// Opens tag and ciphertext; none when they were not made with this key and nonce.
    #[must_use]
    pub fn open(&self, nonce: &[u8; NONCE], boxed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.0.decrypt(GenericArray::from_slice(nonce), boxed).ok().map(Zeroizing::new)
    }

    /// True when tag and ciphertext were made with this key and nonce; costs less than opening, above all when not.
    ///
    /// False for anything longer than [`TRIED`], which nothing that is tried may be.
    #[must_use]
    pub fn fits(&self, nonce: &[u8; NONCE], boxed: &[u8]) -> bool {
        let Some((tag, sealed)) = boxed.split_first_chunk::<TAG>() else { return false };
        let mut plain = Zeroizing::new([0; TRIED]);
        let Some(plain) = plain.get_mut(..sealed.len()) else { return false };
        plain.copy_from_slice(sealed);
        let (nonce, tag) = (GenericArray::from_slice(nonce), GenericArray::from_slice(tag));
        self.0.decrypt_in_place_detached(nonce, &[], plain, tag).is_ok()
    }

    /// Seals a plaintext as tag and ciphertext. A nonce must never be used twice with one key.
    #[must_use]
    pub fn seal(&self, nonce: &[u8; NONCE], plaintext: &[u8]) -> Vec<u8> {
        let mut boxed = Vec::with_capacity(TAG + plaintext.len());
        self.seal_onto(&mut boxed, nonce, plaintext);
        boxed
    }

    /// Appends tag and ciphertext.
    pub(crate) fn seal_onto(&self, to: &mut Vec<u8>, nonce: &[u8; NONCE], plaintext: &[u8]) {
        let start = to.len();
        to.extend_from_slice(&[0; TAG]);
        to.extend_from_slice(plaintext);
        let Some((tag, text)) = to.get_mut(start..).and_then(|boxed| boxed.split_first_chunk_mut::<TAG>())
        else {
            return;
        };
        match self.0.encrypt_in_place_detached(GenericArray::from_slice(nonce), &[], text) {
            Ok(made) => tag.copy_from_slice(&made),
            // Only associated data makes the cipher fail, and none is given; zeros would open nowhere.
            Err(_) => text.fill(0),
        }
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey(…)")
    }
}

/// Seals for a recipient as NaCl's `crypto_box_seal` does: anonymous, only the recipient can open it.
#[must_use]
pub fn seal(recipient: &PublicKey, plaintext: &[u8], rng: &mut impl CryptoRngCore) -> Vec<u8> {
    seal_from(&PrivateKey::generate(rng), recipient, plaintext)
}

/// Seals with a given ephemeral key, for known-answer vectors; a key used for two messages reveals both.
#[must_use]
pub fn seal_from(ephemeral: &PrivateKey, recipient: &PublicKey, plaintext: &[u8]) -> Vec<u8> {
    let key = BoxKey::agree(ephemeral, recipient);
    let nonce = seal_nonce(ephemeral.public().as_bytes(), recipient);
    let mut sealed = ephemeral.public().as_bytes().to_vec();
    sealed.extend(key.seal(&nonce, plaintext));
    sealed
}

/// Opens a sealed box with one X25519, using the stored public key.
///
/// # Errors
/// [`DecodeError::Size`] when it is too short, [`DecodeError::Point`] when its ephemeral key is of low order or not
/// canonical, [`DecodeError::Sealed`] when it is not for this key or was changed.
pub fn open_seal(private: &PrivateKey, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecodeError> {
    let (ephemeral, boxed) = sealed.split_first_chunk::<32>().ok_or(DecodeError::Size)?;
    if boxed.len() < TAG {
        return Err(DecodeError::Size);
    }
    let shared = private.diffie_hellman(ephemeral);
    if !PublicKey::is_canonical(ephemeral) || !shared.was_contributory() {
        return Err(DecodeError::Point);
    }
    let nonce = seal_nonce(ephemeral, private.public());
    BoxKey::of_shared(&shared).open(&nonce, boxed).ok_or(DecodeError::Sealed)
}

/// BLAKE2b of ephemeral and recipient's public key, 24 bytes.
fn seal_nonce(ephemeral: &[u8; 32], recipient: &PublicKey) -> [u8; NONCE] {
    let mut hash = Blake2b::<U24>::new();
    Update::update(&mut hash, ephemeral);
    Update::update(&mut hash, recipient.as_bytes());
    hash.finalize().into()
}

/// BLAKE2b-256 keyed and personalised, as `hashlib.blake2b(key=, person=)`; the person is padded with zeros to 16.
pub(crate) fn kdf(key: &[u8; 32], person: &[u8], data: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let padded = padded(person);
    // Only a key over 64 or a person over 16 bytes fails, which the types exclude; what would then be left is the key
    // itself, which no stranger knows, and never a constant.
    let mut derived = Zeroizing::new(*key);
    if let Ok(mut mac) = Blake2bMac::<U32>::new_with_salt_and_personal(key, &[], &padded) {
        data.iter().for_each(|part| mac.update(part));
        mac.finalize_into(GenericArray::from_mut_slice(derived.as_mut_slice()));
    }
    derived
}

fn padded(person: &[u8]) -> [u8; 16] {
    let mut padded = [0; 16];
    for (to, from) in padded.iter_mut().zip(person) {
        *to = *from;
    }
    padded
}

/// What [`kdf`] is, for many messages under one key: half of its work, the block that holds the key, is done once. What
/// is kept does not give the key back.
pub(crate) struct KeyedHash(Blake2bVarCore);

impl KeyedHash {
    pub(crate) fn new(key: &[u8; 32], person: &[u8]) -> Self {
        let mut block = Zeroizing::new([0; 128]);
        for (to, from) in block.iter_mut().zip(key) {
            *to = *from;
        }
        let mut core = Blake2bVarCore::new_with_params(&[], &padded(person), key.len(), 32);
        core.update_blocks(std::slice::from_ref(Block::<Blake2bVarCore>::from_slice(block.as_slice())));
        Self(core)
    }

    /// The hash of a message that is not empty; only the first 32 bytes count.
    pub(crate) fn of(&self, message: &[u8]) -> [u8; 64] {
        let (mut core, mut buffer) = (self.0.clone(), Buffer::<Blake2bVarCore>::default());
        buffer.digest_blocks(message, |blocks| core.update_blocks(blocks));
        let mut hash = GenericArray::default();
        core.finalize_variable_core(&mut buffer, &mut hash);
        hash.into()
    }
}

#[cfg(test)]
mod tests {
    use crypto_box::SalsaBox;
    use crypto_box::aead::OsRng;

    use super::*;

    fn theirs(key: &PrivateKey) -> crypto_box::SecretKey {
        crypto_box::SecretKey::from(*key.dangerously_as_bytes())
    }

    #[test]
    fn a_hash_keyed_once_is_the_hash_keyed_each_time() {
        for length in [1, 16, 127, 128, 129, 300] {
            let (key, message) = ([length as u8; 32], vec![7; length]);
            let expected = kdf(&key, b"person", &[&message]);
            assert_eq!(KeyedHash::new(&key, b"person").of(&message)[..32], *expected.as_slice(), "{length}");
        }
    }

    #[test]
    fn a_box_agrees_with_the_library_in_both_directions() {
        let (ours, peer) = (PrivateKey::generate(&mut OsRng), PrivateKey::generate(&mut OsRng));
        let key = BoxKey::agree(&ours, peer.public());
        let oracle = SalsaBox::new(&theirs(&ours).public_key(), &theirs(&peer));
        let nonce = [7; NONCE];
        let boxed = key.seal(&nonce, b"text");
        assert_eq!(oracle.decrypt(&nonce.into(), boxed.as_slice()).unwrap(), b"text");
        assert_eq!(
            key.open(&nonce, &oracle.encrypt(&nonce.into(), &b"back"[..]).unwrap()).unwrap().as_slice(),
            b"back"
        );
        assert!(key.open(&[8; NONCE], &boxed).is_none());
    }

    #[test]
    fn a_seal_agrees_with_the_library_in_both_directions() {
        let recipient = PrivateKey::generate(&mut OsRng);
        let sealed = seal(recipient.public(), b"text", &mut OsRng);
        assert_eq!(theirs(&recipient).unseal(&sealed).unwrap(), b"text");
        let sealed = theirs(&recipient).public_key().seal(&mut OsRng, b"back").unwrap();
        assert_eq!(open_seal(&recipient, &sealed).unwrap().as_slice(), b"back");
        for length in 0..sealed.len() {
            assert!(open_seal(&recipient, &sealed[..length]).is_err());
        }
    }
}
