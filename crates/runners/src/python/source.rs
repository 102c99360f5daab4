//! The source of a Python file.

use std::io::Result;
use std::path::Path;
use std::sync::Arc;

use crate::bounded_file;

/// The largest file, in bytes.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A file's source, each byte as one character, so that any encoding survives JSON.
pub(super) fn read(path: &Path) -> Result<Arc<str>> {
    Ok(bounded_file::read(path, LARGEST)?.into_iter().map(char::from).collect::<String>().into())
}
