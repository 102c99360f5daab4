//! Key files on a real disk.
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "tests")]

mod pair;
mod place;
mod read;
mod write;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use msp_keyfile::KeyFileError;
use msp_protocol::{OsRng, PrivateKey};
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn new_key() -> PrivateKey {
    PrivateKey::generate(&mut OsRng)
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("the file exists").permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The message with the temporary folder replaced, so that it can be compared.
fn message(error: &KeyFileError, folder: &TempDir) -> String {
    let message = error.to_string().replace(&folder.path().display().to_string(), "/sec");
    assert!(!message.contains('\n'), "one line: {message}");
    message
}
