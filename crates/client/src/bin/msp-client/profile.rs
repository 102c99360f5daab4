//! The profile file: for each server its URL, its pinned key, and this client's key and secret.
//!
//! Everything is in one file, 0600 and replaced as a whole, so that a profile is complete or absent. A rewrite keeps
//! no comments.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use msp_client::ClientKeys;
use msp_keyfile::KeyFileError;
use msp_protocol::{ClientName, PrivateKey, PublicKey, Secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::CliError;
use crate::output;

/// What the profile file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profiles {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default: Option<ClientName>,
    #[serde(default)]
    pub(crate) profiles: BTreeMap<ClientName, Profile>,
}

/// One server, and who this client is there.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) url: String,
    #[serde(with = "public_key")]
    pub(crate) server: PublicKey,
    #[serde(with = "private_key")]
    pub(crate) key: PrivateKey,
    #[serde(with = "secret")]
    pub(crate) secret: Secret,
    /// For https, the only CA certificates that are trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cafile: Option<PathBuf>,
}

impl Profile {
    pub(crate) fn keys(&self) -> ClientKeys {
        ClientKeys { private: self.key.clone(), server: self.server, secret: self.secret.clone() }
    }
}

impl Profiles {
    /// Reads the file; one that does not exist holds no profiles.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text = match msp_keyfile::read_text(path, MAX_FILE_BYTES) {
            Ok(text) => text,
            Err(KeyFileError::NotFound { .. }) => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        if !msp_keyfile::is_private(path) {
            output::warn_of_readers(path);
        }
        // The error's own text would quote the line, and with it a secret.
        toml::from_str(&text).map_err(|error| {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            CliError::ProfileFile {
                path: path.to_owned(),
                reason: format!("line {line}: {}", error.message().escape_debug()),
            }
        })
    }

    /// Writes the file in place of the old one, and makes its folder where it is missing.
    pub(crate) fn write(&self, path: &Path) -> Result<(), CliError> {
        let text = toml::to_string(self)
            .map_err(|error| CliError::ProfileFile { path: path.to_owned(), reason: error.to_string() })?;
        let text = Zeroizing::new(text);
        if let Some(folder) = path.parent() {
            msp_keyfile::create_private_folder(folder)?;
        }
        Ok(msp_keyfile::replace(path, text.as_bytes())?)
    }

    /// The profile of this name.
    pub(crate) fn named(&self, name: &ClientName, path: &Path) -> Result<&Profile, CliError> {
        self.profiles.get(name).ok_or_else(|| {
            let known: Vec<_> = self.profiles.keys().map(ClientName::as_str).collect();
            let reason = match known.as_slice() {
                [] => format!("no profile {name}, and no other; make it with `msp-client join`"),
                known => format!("no profile {name}; there is {}", known.join(", ")),
            };
            CliError::ProfileFile { path: path.to_owned(), reason }
        })
    }

    /// The default profile and its name, if there is one.
    pub(crate) fn chosen(&self, path: &Path) -> Result<Option<&Profile>, CliError> {
        self.default.as_ref().map(|name| self.named(name, path)).transpose()
    }
}

/// Where profiles are kept: `$XDG_CONFIG_HOME/msp/client.toml`, else `~/.config/msp/client.toml`.
///
/// A relative `XDG_CONFIG_HOME` is ignored, as the XDG Base Directory Specification says.
pub(crate) fn path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    folder("XDG_CONFIG_HOME")
        .or_else(|| folder("HOME").map(|home| home.join(".config")))
        .map(|config| config.join("msp").join("client.toml"))
}

/// Reads what `--profile` names.
pub(crate) fn name(text: &str) -> Result<ClientName, CliError> {
    text.parse().map_err(|error| CliError::usage(format!("--profile {text:?}: {error}")))
}

/// A module for `#[serde(with)]` that keeps the text between key and file wiped.
macro_rules! as_text {
    ($module:ident, $type:ty, $write:expr, $read:expr) => {
        mod $module {
            use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

            pub(super) fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                let write: fn(&$type) -> zeroize::Zeroizing<String> = $write;
                serializer.serialize_str(&write(value))
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let text = zeroize::Zeroizing::new(String::deserialize(deserializer)?);
                let read: fn(&str) -> Result<$type, _> = $read;
                read(&text).map_err(D::Error::custom)
            }
        }
    };
}
as_text!(public_key, msp_protocol::PublicKey, |key| key.to_string().into(), str::parse);
as_text!(
    private_key,
    msp_protocol::PrivateKey,
    msp_protocol::PrivateKey::dangerously_to_base64,
    msp_protocol::PrivateKey::from_base64
);
as_text!(
    secret,
    msp_protocol::Secret,
    |secret| secret.dangerously_as_str().to_owned().into(),
    msp_protocol::Secret::parse
);

/// Room for thousands of profiles, in bytes.
const MAX_FILE_BYTES: usize = 1 << 20;

#[cfg(test)]
mod tests;
