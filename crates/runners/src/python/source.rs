//! The source of a Python file.

use std::io::{Error, Read as _, Result};
use std::path::Path;
use std::sync::Arc;

/// The largest file, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A file's source, each byte as one character, so that any encoding survives JSON.
///
/// # Errors
/// What the system says, or that the file is too large.
pub(super) fn read(path: &Path) -> Result<Arc<str>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
        return Err(Error::other(format!("larger than {LARGEST} bytes")));
    }
    Ok(bytes.into_iter().map(char::from).collect::<String>().into())
}
