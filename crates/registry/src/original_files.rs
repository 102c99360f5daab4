//! The original's files: a `client_<N>.pub` for each client, and a register of secrets.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use msp_core::OriginalClients;
use msp_keyfile::KeyFileError;
use msp_protocol::{PublicKey, Secret};

/// The largest key file read, in bytes.
const MAX_KEY_FILE: usize = 4096;
/// The largest register read, in bytes: half a million secrets.
const MAX_REGISTER: usize = 64 * 1024 * 1024;

/// What the original's files hold.
#[derive(Debug, Default)]
pub struct OriginalFiles {
    /// The clients in them.
    pub clients: OriginalClients,
    /// Files that were skipped, and why; one that holds faulty lines stands here once for each.
    pub skipped: Vec<(PathBuf, String)>,
}

impl OriginalFiles {
    /// Reads a folder of key files, and a register. Missing ones are no error; faulty files are skipped and reported.
    #[must_use]
    pub fn read(keys: Option<&Path>, register: Option<&Path>) -> Self {
        let mut found = Self::default();
        if let Some(folder) = keys {
            match msp_keyfile::names_in(folder) {
                Ok(names) => names.iter().filter(|name| is_key_file(name)).for_each(|name| {
                    let file = folder.join(name);
                    match read_key(&file) {
                        Ok(key) => found.clients.keys.push(key),
                        Err(why) => found.skipped.push((file, why)),
                    }
                }),
                Err(error) => found.skipped.push((folder.to_owned(), error.reason())),
            }
        }
        if let Some(register) = register {
            found.read_register(register);
        }
        found
    }

    fn read_register(&mut self, register: &Path) {
        let text = match msp_keyfile::read_named(register, MAX_REGISTER) {
            Ok(text) => text,
            Err(KeyFileError::NotFound { .. }) => return,
            Err(error) => return self.skipped.push((register.to_owned(), error.reason())),
        };
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            match Secret::parse(line.trim()) {
                Ok(secret) => {
                    self.clients.secrets.insert(secret.digest());
                }
                Err(error) => {
                    self.skipped.push((register.to_owned(), format!("line {}: {error}", number + 1)));
                }
            }
        }
    }
}

fn is_key_file(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("client_") && name.ends_with(".pub"))
}

fn read_key(file: &Path) -> Result<PublicKey, String> {
    let text = msp_keyfile::read_named(file, MAX_KEY_FILE).map_err(|error| error.reason())?;
    let line = text.lines().next().unwrap_or_default().trim();
    line.parse().map_err(|error: msp_protocol::KeyError| error.to_string())
}
