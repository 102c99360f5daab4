//! Taking in the original's loose files: `client_<N>.pub`, and a register of secrets.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use msp_core::RegistryError;
use msp_protocol::{Digest, PublicKey, Secret};

use crate::changes::event;
use crate::open::{Change, SqlRegistry};

/// The largest key file read; the rest of a longer one is not looked at.
const MAX_KEY_FILE: u64 = 4096;
/// The largest register read: half a million secrets.
const MAX_REGISTER: u64 = 64 * 1024 * 1024;

/// What an import took in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// Keys that were not known.
    pub keys_added: usize,
    /// Secrets that were not known.
    pub secrets_added: usize,
    /// Files that were skipped, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

/// What the files hold.
#[derive(Default)]
struct Found {
    keys: Vec<PublicKey>,
    secrets: BTreeSet<Digest>,
    skipped: Vec<(PathBuf, String)>,
}

impl SqlRegistry {
    /// Takes in what is not yet known, as unlinked keys and secrets, in one transaction. Missing files are no error;
    /// faulty ones are skipped and reported. `revive` lifts tombstones.
    ///
    /// # Errors
    /// That the registry cannot be written.
    pub async fn import(
        &self,
        keys: &Path,
        register: &Path,
        revive: bool,
    ) -> Result<ImportReport, RegistryError> {
        let (keys, register) = (keys.to_owned(), register.to_owned());
        let found = tokio::task::spawn_blocking(move || read(&keys, &register)).await;
        let Found { keys, secrets, skipped } = found.map_err(|error| {
            RegistryError::Unavailable("the original's files".to_owned(), error.to_string())
        })?;
        let mut report = ImportReport { skipped, ..ImportReport::default() };
        if keys.is_empty() && secrets.is_empty() {
            return Ok(report);
        }
        let mut change = self.change().await?;
        for key in keys {
            if self.is_new(&mut change, &key.digest(), revive).await? {
                self.insert_imported_key(&mut change, key).await?;
                report.keys_added += 1;
            }
        }
        for secret in secrets {
            if self.is_new(&mut change, &secret, revive).await? {
                self.insert_secret(&mut change, &secret).await?;
                report.secrets_added += 1;
            }
        }
        if report.keys_added + report.secrets_added > 0 {
            let detail = format!("{} keys, {} secrets", report.keys_added, report.secrets_added);
            self.commit(change, event("import", "client.import", "the original's files", detail)).await?;
            self.empty_log().await;
        }
        Ok(report)
    }

    async fn is_new(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
        revive: bool,
    ) -> Result<bool, RegistryError> {
        let known = "SELECT (SELECT COUNT(*) FROM clients WHERE key_digest = $1 OR secret = $1 OR previous = $1) \
                     + (SELECT COUNT(*) FROM secrets WHERE digest = $1)";
        if self.count(change, known, digest).await? > 0 {
            return Ok(false);
        }
        if revive {
            self.lift_tombstone(change, digest).await?;
            return Ok(true);
        }
        Ok(!self.is_tombstone(change, digest).await?)
    }

    async fn insert_imported_key(
        &self,
        change: &mut Change<'_>,
        key: PublicKey,
    ) -> Result<(), RegistryError> {
        sqlx::query(
            "INSERT INTO clients (key_digest, public_key, standard, disabled, classic) VALUES ($1, $2, 1, 0, 1)",
        )
        .bind(key.digest().as_bytes().to_vec())
        .bind(key.as_bytes().to_vec())
        .execute(&mut *change.tx)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(())
    }
}

fn read(keys: &Path, register: &Path) -> Found {
    let mut found = Found::default();
    let mut files = match std::fs::read_dir(keys) {
        Ok(entries) => entries.flatten().map(|entry| entry.path()).filter(|path| is_key_file(path)).collect(),
        Err(_) => Vec::new(),
    };
    files.sort();
    for file in files {
        match read_key(&file) {
            Ok(key) => found.keys.push(key),
            Err(why) => found.skipped.push((file, why)),
        }
    }
    match read_limited(register, MAX_REGISTER) {
        Ok(text) => {
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                match Secret::parse(line.trim()) {
                    Ok(secret) => {
                        found.secrets.insert(secret.digest());
                    }
                    Err(error) => {
                        found.skipped.push((register.to_owned(), format!("line {}: {error}", number + 1)))
                    }
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => found.skipped.push((register.to_owned(), error.to_string())),
    }
    found
}

fn is_key_file(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.starts_with("client_") && name.ends_with(".pub")
}

fn read_key(file: &Path) -> Result<PublicKey, String> {
    let text = read_limited(file, MAX_KEY_FILE).map_err(|error| error.to_string())?;
    let line = text.lines().next().unwrap_or_default().trim();
    line.parse().map_err(|error: msp_protocol::KeyError| error.to_string())
}

fn read_limited(file: &Path, limit: u64) -> io::Result<String> {
    let file = File::open(file)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = String::new();
    file.take(limit + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        Err(io::Error::other(format!("larger than {limit} bytes")))
    } else {
        Ok(text)
    }
}
