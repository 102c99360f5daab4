//! Reading keys, secrets and other small private files.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use msp_protocol::{PrivateKey, PublicKey, Secret};
use zeroize::Zeroizing;

use crate::error::{Half, KeyFileError};

/// Reads a private key: the first line, trimmed.
///
/// # Errors
/// [`KeyFileError::Key`] when it is no key, else what [`read_text`] says.
pub fn read_private_key(path: &Path) -> Result<PrivateKey, KeyFileError> {
    let text = read_text(path, MAX_KEY_BYTES)?;
    PrivateKey::from_base64(first_line(&text)).map_err(|cause| KeyFileError::Key {
        path: path.to_owned(),
        half: Half::Private,
        cause,
    })
}

/// Reads a public key: the first line, trimmed; further lines are ignored.
///
/// # Errors
/// [`KeyFileError::Key`] when it is no key, or a bad point, else what [`read_text`] says.
pub fn read_public_key(path: &Path) -> Result<PublicKey, KeyFileError> {
    let text = read_text(path, MAX_KEY_BYTES)?;
    first_line(&text).parse().map_err(|cause| KeyFileError::Key {
        path: path.to_owned(),
        half: Half::Public,
        cause,
    })
}

/// Reads a client secret; white space around it is ignored, so a final newline does no harm.
///
/// # Errors
/// [`KeyFileError::Secret`] when it is no secret, else what [`read_text`] says.
pub fn read_secret(path: &Path) -> Result<Secret, KeyFileError> {
    let text = read_text(path, MAX_KEY_BYTES)?;
    Secret::parse(text.trim()).map_err(|cause| KeyFileError::Secret { path: path.to_owned(), cause })
}

/// Reads a whole text file of at most `max_bytes`; what was read is wiped when dropped.
///
/// # Errors
/// [`KeyFileError::NotFound`], [`KeyFileError::TooLong`], [`KeyFileError::NotText`] (not UTF-8) or
/// [`KeyFileError::Io`].
pub fn read_text(path: &Path, max_bytes: usize) -> Result<Zeroizing<String>, KeyFileError> {
    let failed = |cause| KeyFileError::io(path, "read", cause);
    let file = File::open(path).map_err(failed)?;
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let expected = file.metadata().map_err(failed)?.len().min(limit);
    // Large enough from the start: a vector that grows leaves unwiped copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + READ_PROBE));
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > max_bytes {
        return Err(KeyFileError::TooLong { path: path.to_owned(), max_bytes });
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| KeyFileError::NotText { path: path.to_owned() })?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// True when neither group nor others may do anything with the file; false also when that cannot be found out.
#[must_use]
pub fn is_private(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 == 0)
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

/// More than any key or secret with a comment behind it, in bytes.
const MAX_KEY_BYTES: usize = 4096;

/// Room for the read that finds the end of the file, in bytes.
const READ_PROBE: usize = 64;
