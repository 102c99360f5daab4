//! A secret that the operator shares with callers.

use std::fmt;
use std::path::Path;

use msp_protocol::Digest;
use zeroize::Zeroizing;

use crate::error::SettingsError;

/// A bearer token or an api key, wiped when dropped; never printed.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Reads a file of 16 to 1024 printable ASCII characters; white space around them is ignored.
    ///
    /// `named_by` says which setting names the file, as [`Setting::place`](crate::Setting::place) does; `warnings` receives a line when others may read it.
    ///
    /// # Errors
    /// [`SettingsError`] for a file that cannot be read or holds no token.
    pub fn read(named_by: String, file: &Path, warnings: &mut Vec<String>) -> Result<Self, SettingsError> {
        if file.exists() && !msp_keyfile::is_private(file) {
            warnings.push(format!("{}: others may read the token; try: chmod 600 {0}", file.display()));
        }
        let text = msp_keyfile::read_text(file, 4096);
        let text = text.map_err(|cause| SettingsError::File { named_by, cause })?;
        let token = text.trim();
        if !(MIN_BYTES..=MAX_BYTES).contains(&token.len())
            || !token.bytes().all(|byte| byte.is_ascii_graphic())
        {
            return Err(SettingsError::Token { file: file.display().to_string() });
        }
        Ok(Self(Zeroizing::new(token.to_owned())))
    }

    /// Takes a setting's text; white space around it is ignored, as in the headers that carry it.
    pub(crate) fn from_text(text: &str) -> Self {
        Self(Zeroizing::new(text.trim().to_owned()))
    }

    /// True for no token at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True when it is so short that it can be found by trying.
    #[must_use]
    pub fn is_short(&self) -> bool {
        self.0.len() < MIN_BYTES
    }

    /// The text itself.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it where the text itself is not needed.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.as_bytes())
    }

    /// True when the presented text is this token; takes as long for any text of its length.
    #[must_use]
    pub fn is(&self, presented: &[u8]) -> bool {
        self.digest() == Digest::of(presented)
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Fewer characters can be found by trying.
const MIN_BYTES: usize = 16;

/// More than any token has.
const MAX_BYTES: usize = 1024;
