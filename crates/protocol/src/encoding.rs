//! Base64: strict for keys and envelopes, lenient where the classic shape must be.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::error::{DecodeError, KeyError};

/// Encodes with the standard alphabet and padding: keys.
#[must_use]
pub fn encode_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Encodes with the URL-safe alphabet and padding: everything sealed.
#[must_use]
pub fn encode_url(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Appends the URL-safe encoding with padding.
pub(crate) fn encode_url_onto(to: &mut String, bytes: &[u8]) {
    URL_SAFE.encode_string(bytes, to);
}

/// Appends the URL-safe encoding without padding: api keys.
pub(crate) fn encode_url_bare_onto(to: &mut String, bytes: &[u8]) {
    URL_SAFE_NO_PAD.encode_string(bytes, to);
}

/// Reads a key's text form: strict standard base64 of exactly 32 bytes.
///
/// # Errors
/// [`KeyError::Encoding`] or [`KeyError::Length`].
pub fn decode_key(text: &str) -> Result<[u8; 32], KeyError> {
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| KeyError::Encoding)?);
    bytes.as_slice().try_into().map_err(|_| KeyError::Length(bytes.len()))
}

/// Reads the URL-safe alphabet with padding and nothing else.
///
/// # Errors
/// [`DecodeError::Base64`].
pub fn decode_url(text: &str) -> Result<Vec<u8>, DecodeError> {
    URL_SAFE.decode(text).map_err(|_| DecodeError::Base64)
}

/// Reads a classic value: either alphabet, ASCII white space anywhere, padding required.
///
/// # Errors
/// [`DecodeError::Base64`] for any other character and for missing padding.
pub fn decode_lenient(text: &str) -> Result<Vec<u8>, DecodeError> {
    // What clients really send is strict already.
    if let Ok(bytes) = decode_url(text) {
        return Ok(bytes);
    }
    let strict: String = text
        .chars()
        .filter(|c| !c.is_ascii_whitespace())
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            other => other,
        })
        .collect();
    decode_url(&strict)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_strict_standard_base64_of_32_bytes() {
        let key = encode_standard(&[0xff; 32]);
        assert_eq!(decode_key(&key), Ok([0xff; 32]));
        assert_eq!(decode_key(&key.replace('/', "_")), Err(KeyError::Encoding));
        assert_eq!(decode_key(key.trim_end_matches('=')), Err(KeyError::Encoding));
        assert_eq!(decode_key(&format!("{key}\n")), Err(KeyError::Encoding));
        assert_eq!(decode_key(&encode_standard(&[0; 31])), Err(KeyError::Length(31)));
        assert_eq!(decode_key(""), Err(KeyError::Length(0)));
    }

    #[test]
    fn a_classic_value_takes_both_alphabets_and_white_space_but_nothing_else() {
        let bytes = [0xfb, 0xff, 0xfe, 0x01];
        for text in ["-__-AQ==", "+//+AQ==", "+_/-\n A\tQ\r=="] {
            assert_eq!(decode_lenient(text).as_deref(), Ok(&bytes[..]), "{text:?}");
        }
        for text in ["-__-AQ", "-__-AQ=", "-__-AQ==.", "-__-\u{a0}AQ==", "-__-AR==", "é"] {
            assert_eq!(decode_lenient(text), Err(DecodeError::Base64), "{text:?}");
        }
    }
}
