//! Reading keys, secrets and other small private files.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use msp_protocol::{PrivateKey, PublicKey, Secret};
use rustix::fs::{FileType, FsWord, Mode, OFlags};
use zeroize::Zeroizing;

use crate::error::{Half, KeyFileError};
use crate::{inherited, place};

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

/// Reads a whole text file of at most `max_bytes`; what was read is wiped when dropped. A named pipe is no file: it
/// would wait for whoever writes into it.
///
/// # Errors
/// [`KeyFileError::NotFound`], [`KeyFileError::TooLong`], [`KeyFileError::NotText`] (not UTF-8),
/// [`KeyFileError::NotAFile`] or [`KeyFileError::Io`].
pub fn read_text(path: &Path, max_bytes: usize) -> Result<Zeroizing<String>, KeyFileError> {
    read_with(path, || {
        let file = open(path).map_err(|cause| KeyFileError::io(path, "read", cause))?;
        read_open(file, path, max_bytes)
    })
}

/// Reads a whole text file of at most `max_bytes` from a folder that another user may own: only a regular one, and for
/// root not by way of a link that the user may have made.
///
/// # Errors
/// As [`read_text`], and [`KeyFileError::Link`].
pub fn read_named(path: &Path, max_bytes: usize) -> Result<Zeroizing<String>, KeyFileError> {
    read_with(path, || read_open(place::open_named(path)?, path, max_bytes))
}

fn read_with(
    path: &Path,
    read: impl FnOnce() -> Result<Zeroizing<String>, KeyFileError>,
) -> Result<Zeroizing<String>, KeyFileError> {
    let text = match inherited::given(path) {
        Some(given) => given.clone().ok_or_else(|| KeyFileError::NotFound { path: path.to_owned() }),
        None => read(),
    };
    match &text {
        Ok(text) => inherited::keep(path, Some(text)),
        Err(KeyFileError::NotFound { .. }) => inherited::keep(path, None),
        Err(_) => {}
    }
    text
}

fn read_open(file: File, path: &Path, max_bytes: usize) -> Result<Zeroizing<String>, KeyFileError> {
    let failed = |cause| KeyFileError::io(path, "read", cause);
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

/// Opens a file without waiting for anybody. A pipe without a name has somebody at its other end already: the shell's
/// `<(…)`, `/dev/stdin`.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let found = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(found.st_mode) == FileType::Fifo
        && rustix::fs::fstatfs(&file)?.f_type != PIPEFS
    {
        place::regular(&found)?;
    }
    rustix::fs::fcntl_setfl(&file, OFlags::empty())?;
    Ok(File::from(file))
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

/// The file system of pipes without a name (`PIPEFS_MAGIC`).
const PIPEFS: FsWord = 0x5049_5045;
