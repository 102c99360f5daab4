//! Base64: strict for keys and envelopes, lenient where the classic shape must be.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::keys::KeyError;

/// Standard alphabet, padded.
#[must_use]
pub fn encode_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads a key's text form: strict standard base64 of exactly 32 bytes.
///
/// # Errors
/// [`KeyError::Encoding`] or [`KeyError::Length`].
pub fn decode_key(text: &str) -> Result<[u8; 32], KeyError> {
    let bytes = zeroize::Zeroizing::new(STANDARD.decode(text).map_err(|_| KeyError::Encoding)?);
    bytes.as_slice().try_into().map_err(|_| KeyError::Length(bytes.len()))
}
