//! Key pairs on the disk: the server's own, and those gen_key makes.

use std::path::{Path, PathBuf};

use msp_protocol::PrivateKey;

use crate::error::KeyFileError;
use crate::place::create_private_folder;
use crate::read::{read_private_key, read_public_key};
use crate::write::{replace, write_new};

/// What a server finds in its key folder.
#[derive(Debug)]
pub enum ServerKeys {
    /// The pair.
    Found(PrivateKey),
    /// Neither half; [`create_server_keys`] makes them.
    Missing,
}

/// Reads `server.key` and `server.pub`; a missing public half is rebuilt from the private one and written.
///
/// # Errors
/// [`KeyFileError::PrivateHalfMissing`], [`KeyFileError::Mismatch`], [`KeyFileError::Key`], or what reading and
/// writing say.
pub fn server_keys(folder: &Path) -> Result<ServerKeys, KeyFileError> {
    let found = inspect_server_keys(folder)?;
    let (_, public) = pair_paths(&folder.join(SERVER));
    match &found {
        ServerKeys::Found(key) if !public.exists() => {
            write_new(&public, key.public().to_string().as_bytes())?;
        }
        _ => {}
    }
    Ok(found)
}

/// Reads them as [`server_keys`] does, and writes nothing.
///
/// # Errors
/// As [`server_keys`], but for what writing says.
pub fn inspect_server_keys(folder: &Path) -> Result<ServerKeys, KeyFileError> {
    let (private, public) = pair_paths(&folder.join(SERVER));
    let key = match (read_private_key(&private), read_public_key(&public)) {
        (Ok(key), Ok(half)) if *key.public() == half => key,
        (Ok(_), Ok(_)) => return Err(KeyFileError::Mismatch { private, public }),
        (Ok(key), Err(KeyFileError::NotFound { .. })) => key,
        (Err(KeyFileError::NotFound { .. }), Err(KeyFileError::NotFound { .. })) => {
            return Ok(ServerKeys::Missing);
        }
        (Err(KeyFileError::NotFound { .. }), _) => {
            return Err(KeyFileError::PrivateHalfMissing { private, public });
        }
        (Err(error), _) | (_, Err(error)) => return Err(error),
    };
    Ok(ServerKeys::Found(key))
}

/// Writes a new `server.key` and `server.pub`, both 0600, and makes the folder (0700) where it is missing.
///
/// # Errors
/// [`KeyFileError::Exists`] when there is a private half, or what writing says.
pub fn create_server_keys(folder: &Path, key: &PrivateKey) -> Result<(), KeyFileError> {
    create_private_folder(folder)?;
    write_pair(&folder.join(SERVER), key, false)
}

/// Writes `<stem>.key` and `<stem>.pub`, both 0600; an existing private half is replaced only with `force`.
///
/// # Errors
/// [`KeyFileError::Exists`] when there is a private half and `force` is not set: then nothing is written; else
/// what writing says.
pub fn write_pair(stem: &Path, key: &PrivateKey, force: bool) -> Result<(), KeyFileError> {
    let (private, public) = pair_paths(stem);
    let text = key.dangerously_to_base64();
    if force {
        replace(&private, text.as_bytes())?;
    } else {
        write_new(&private, text.as_bytes())?;
    }
    // The private half stands, and it alone decides what the public one is.
    replace(&public, key.public().to_string().as_bytes())
}

/// The two files of a pair, private half first: the endings are added, a dot in the name stays.
#[must_use]
pub fn pair_paths(stem: &Path) -> (PathBuf, PathBuf) {
    let with_ending = |ending: &str| {
        let mut path = stem.as_os_str().to_owned();
        path.push(ending);
        PathBuf::from(path)
    };
    (with_ending(".key"), with_ending(".pub"))
}

/// The stem of the server's own pair in its key folder.
const SERVER: &str = "server";
