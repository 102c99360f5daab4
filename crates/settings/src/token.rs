//! A bearer token of the operator's.

use std::fmt;
use std::path::Path;

use msp_protocol::Digest;
use zeroize::Zeroizing;

use crate::error::SettingsError;

/// A bearer token, wiped when dropped; never printed.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Reads a file of 16 to 1024 printable ASCII characters; white space around them is ignored.
    ///
    /// `named_by` is the setting that names the file.
    pub(crate) fn read(named_by: &str, file: &Path) -> Result<Self, SettingsError> {
        let text = msp_keyfile::read_text(file, 4096)
            .map_err(|cause| SettingsError::File { named_by: named_by.to_owned(), cause })?;
        let token = text.trim();
        if !(16..=1024).contains(&token.len()) || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SettingsError::Token { file: file.display().to_string() });
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    /// True when the presented text is this token; takes as long for any text of its length.
    #[must_use]
    pub fn is(&self, presented: &[u8]) -> bool {
        Digest::of(self.0.as_bytes()) == Digest::of(presented)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}
