//! Taking in the original's loose files: `client_<N>.pub`, and a register of secrets.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use msp_core::RegistryError;
use msp_keyfile::KeyFileError;
use msp_protocol::{Digest, PublicKey, Secret};

use crate::changes::{Touched, event};
use crate::open::{Change, SqlRegistry};

/// The largest key file read, in bytes.
const MAX_KEY_FILE: usize = 4096;
/// The largest register read, in bytes: half a million secrets.
const MAX_REGISTER: usize = 64 * 1024 * 1024;

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
#[derive(Debug, Default)]
pub struct Loose {
    keys: Vec<PublicKey>,
    secrets: BTreeSet<Digest>,
    skipped: Vec<(PathBuf, String)>,
}

impl SqlRegistry {
    /// Takes in what is not yet known, as unlinked keys and secrets, in one transaction. `revive` lifts tombstones.
    ///
    /// # Errors
    /// That the registry cannot be written.
    pub async fn import(&self, loose: Loose, revive: bool) -> Result<ImportReport, RegistryError> {
        let Loose { keys, secrets, skipped } = loose;
        let mut report = ImportReport { skipped, ..ImportReport::default() };
        if keys.is_empty() && secrets.is_empty() {
            return Ok(report);
        }
        let (mut change, mut revived) = (self.change().await?, false);
        for key in keys {
            if self.is_new(&mut change, &key.digest(), revive, &mut revived).await? {
                self.insert_imported_key(&mut change, key).await?;
                report.keys_added += 1;
            }
        }
        for secret in secrets {
            if self.is_new(&mut change, &secret, revive, &mut revived).await? {
                self.insert_secret(&mut change, &secret).await?;
                report.secrets_added += 1;
            }
        }
        if report.keys_added + report.secrets_added > 0 {
            let detail = format!("{} keys, {} secrets", report.keys_added, report.secrets_added);
            let event = event("import", "client.import", "the original's files", detail);
            let touched = if revived { Touched::Everything } else { Touched::Unlinked };
            self.commit(change, touched, event).await?;
            self.empty_log().await;
        }
        Ok(report)
    }

    async fn is_new(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
        revive: bool,
        revived: &mut bool,
    ) -> Result<bool, RegistryError> {
        let known = "SELECT (SELECT COUNT(*) FROM principals WHERE digest = $1 OR secret = $1 OR previous = $1) \
                     + (SELECT COUNT(*) FROM unlinked_keys WHERE digest = $1) \
                     + (SELECT COUNT(*) FROM unlinked_secrets WHERE digest = $1)";
        if self.count(change, known, digest).await? > 0 {
            return Ok(false);
        }
        if revive {
            *revived |= self.lift_tombstone(change, digest).await?;
            return Ok(true);
        }
        Ok(!self.is_tombstone(change, digest).await?)
    }

    async fn insert_imported_key(
        &self,
        change: &mut Change<'_>,
        key: PublicKey,
    ) -> Result<(), RegistryError> {
        sqlx::query("INSERT INTO unlinked_keys (digest, public_key, standard) VALUES ($1, $2, 1)")
            .bind(key.digest().as_bytes().to_vec())
            .bind(key.as_bytes().to_vec())
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }
}

impl Loose {
    /// Reads a folder of key files, and a register. Missing ones are no error; faulty files are skipped and reported.
    #[must_use]
    pub fn read(keys: Option<&Path>, register: Option<&Path>) -> Self {
        let mut found = Self::default();
        if let Some(folder) = keys {
            match msp_keyfile::names_in(folder) {
                Ok(names) => names.iter().filter(|name| is_key_file(name)).for_each(|name| {
                    let file = folder.join(name);
                    match read_key(&file) {
                        Ok(key) => found.keys.push(key),
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
                    self.secrets.insert(secret.digest());
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
