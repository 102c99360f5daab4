//! Whose keys a command uses, and which server it calls.

use std::path::{Path, PathBuf};

use msp_client::ClientKeys;

use crate::error::CliError;
use crate::output;
use crate::profile::{self, Profile, Profiles};

/// What is needed to call: the keys, and the URL where a profile knows it.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) keys: ClientKeys,
    pub(crate) url: Option<String>,
    /// The CA certificates that the profile trusts alone.
    pub(crate) ca_file: Option<PathBuf>,
}

impl Identity {
    /// The URL given on the command line, else the profile's.
    pub(crate) fn url(&self, given: Option<String>) -> Result<String, CliError> {
        given.or_else(|| self.url.clone()).ok_or_else(|| {
            CliError::usage(
                "which server? the keys of this folder come without a URL: give one, or --profile NAME",
            )
        })
    }
}

/// Chooses: the profile named, else the three files of the folder when all exist, else the default profile. A private key
/// in the folder without the other files is no other client's: it must be the profile's.
pub(crate) fn choose(
    named: Option<&str>,
    folder: &Path,
    profiles: Option<&Path>,
) -> Result<Identity, CliError> {
    if let Some(named) = named {
        let path = profiles.ok_or(CliError::NoProfileFolder)?;
        return Ok(of_profile(Profiles::read(path)?.named(&profile::name(named)?, path)?));
    }
    let missing: Vec<_> = FILES.into_iter().filter(|name| !folder.join(name).exists()).collect();
    if missing.is_empty() {
        return of_folder(folder);
    }
    let path = profiles.ok_or(CliError::NoProfileFolder)?;
    match Profiles::read(path)?.chosen(path)? {
        Some(profile) if is_of_another(profile, folder) => Err(CliError::Incomplete { missing }),
        Some(profile) => Ok(of_profile(profile)),
        None => Err(CliError::NoKeys { missing, profiles: path.to_owned() }),
    }
}

/// True when the folder has a private key, and not the profile's.
fn is_of_another(profile: &Profile, folder: &Path) -> bool {
    match msp_keyfile::read_private_key(&folder.join(CLIENT_KEY)) {
        Ok(key) => key.public() != profile.key.public(),
        // None there, or another program's.
        Err(_) => false,
    }
}

fn of_profile(profile: &Profile) -> Identity {
    Identity { keys: profile.keys(), url: Some(profile.url.clone()), ca_file: profile.cafile.clone() }
}

fn of_folder(folder: &Path) -> Result<Identity, CliError> {
    let [secret, private, server] = FILES.map(|name| folder.join(name));
    for path in [&secret, &private].into_iter().filter(|path| !msp_keyfile::is_private(path)) {
        output::warn_of_readers(path);
    }
    let keys = ClientKeys {
        private: msp_keyfile::read_private_key(&private)?,
        server: msp_keyfile::read_public_key(&server)?,
        secret: msp_keyfile::read_secret(&secret)?,
    };
    Ok(Identity { keys, url: None, ca_file: None })
}

/// The files of the original's demo client.
const FILES: [&str; 3] = ["client.secret", CLIENT_KEY, "server.pub"];
pub(crate) const CLIENT_KEY: &str = "client.key";

#[cfg(test)]
mod tests;
