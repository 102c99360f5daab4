//! What stands for a user instead of a password.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use msp_protocol::{Digest, OsRng, RngCore as _};
use zeroize::Zeroizing;

/// The characters of a token: 256 bits in base64url without padding.
const LENGTH: usize = 43;

/// A new token, shown once: 43 characters of `A-Za-z0-9_-`. Only its digest is kept.
pub struct NewToken(Zeroizing<String>);

impl NewToken {
    /// A random one.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(&mut *bytes);
        Self(URL_SAFE_NO_PAD.encode(bytes.as_slice()).into())
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }
}

impl fmt::Debug for NewToken {
    /// Without its text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewToken")
    }
}

/// What a presented token is known by; none for what was never a token, the empty one among them. A part of a token has
/// another digest than the whole: nothing is ever searched by a part.
#[must_use]
pub fn digest_of(text: &[u8]) -> Option<Digest> {
    let legal = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (text.len() == LENGTH && text.iter().all(legal)).then(|| Digest::of(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_07_a_token_has_256_random_bits_and_is_known_as_a_whole_or_not_at_all() {
        let (one, other) = (NewToken::random(), NewToken::random());
        assert_ne!(one.as_str(), other.as_str());
        let text = one.as_str().as_bytes();
        assert_eq!(digest_of(text), Some(one.digest()));
        assert_eq!(format!("{one:?}"), "NewToken");
        for part in [&b""[..], &text[42..], &text[33..], &text[1..], &text[..42]] {
            assert_eq!(digest_of(part), None);
        }
        assert_eq!(digest_of(&[text, b"x"].concat()), None);
        assert_eq!(digest_of(&[b' '; LENGTH]), None);
    }
}
