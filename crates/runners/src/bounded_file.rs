//! Files that may be anything.

use std::fs::File;
use std::io::{Error, Read as _, Result};
use std::path::Path;

/// The bytes of a file of at most so many.
///
/// # Errors
/// What the system says, or that the file is larger.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > most) {
        return Err(Error::other(format!("larger than {most} bytes")));
    }
    Ok(bytes)
}
