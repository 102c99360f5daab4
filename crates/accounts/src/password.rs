//! Passwords: as they come, and as they are chosen.

use std::fmt;

use zeroize::Zeroizing;

/// The fewest characters of a password that is chosen.
pub const MIN_CHARACTERS: usize = 8;
/// The most bytes of a password.
pub const MAX_BYTES: usize = 1024;

/// A password: bytes as they came, whatever they are. Its memory is wiped.
#[derive(Clone)]
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// What somebody presents: too long or too short ones are as wrong as others.
    #[must_use]
    pub const fn presented(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// What is to be somebody's password from now on.
    ///
    /// # Errors
    /// [`PasswordError`] for one that is too short or too long.
    pub fn chosen(bytes: Zeroizing<Vec<u8>>) -> Result<Self, PasswordError> {
        if bytes.len() > MAX_BYTES {
            return Err(PasswordError::TooLong);
        }
        if String::from_utf8_lossy(&bytes).chars().count() < MIN_CHARACTERS {
            return Err(PasswordError::TooShort);
        }
        Ok(Self(bytes))
    }

    /// Its bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it has no bytes at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether no user can have it. Of such a one only the beginning is hashed, so that its length costs nothing.
    pub(crate) fn is_too_long(&self) -> bool {
        self.0.len() > MAX_BYTES
    }

    /// As much of it as is hashed.
    pub(crate) fn hashed(&self) -> &[u8] {
        self.0.get(..MAX_BYTES).unwrap_or(&self.0)
    }
}

impl fmt::Debug for Password {
    /// Without its bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

/// Why a password cannot be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It has more bytes than are hashed.
    #[error("the password is longer than {MAX_BYTES} bytes")]
    TooLong,
    /// It is guessed too soon.
    #[error("the password has fewer than {MIN_CHARACTERS} characters")]
    TooShort,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(bytes: &[u8]) -> Result<(), PasswordError> {
        Password::chosen(bytes.to_vec().into()).map(drop)
    }

    #[test]
    fn accounts_01_a_password_has_eight_characters_and_at_most_1_kib_whatever_its_bytes() {
        assert_eq!(chosen(b"1234567"), Err(PasswordError::TooShort));
        assert_eq!(chosen("grüße".as_bytes()), Err(PasswordError::TooShort), "seven bytes, five characters");
        assert_eq!(chosen("grüßgott".as_bytes()), Ok(()));
        assert_eq!(chosen(b"a:\0\xff\xfe b\n"), Ok(()));
        assert_eq!(chosen(&[b'x'; MAX_BYTES]), Ok(()));
        assert_eq!(chosen(&[b'x'; MAX_BYTES + 1]), Err(PasswordError::TooLong));
    }

    #[test]
    fn what_is_too_long_is_hashed_in_part_and_nothing_prints_a_password() {
        let long = Password::presented(vec![b'x'; 1 << 20].into());
        assert!(long.is_too_long());
        assert_eq!(long.hashed().len(), MAX_BYTES);
        assert_eq!(format!("{long:?}"), "Password");
    }
}
