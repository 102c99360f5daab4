//! Why a command ended without its result, and the exit code that says so.

use std::path::PathBuf;
use std::process::ExitCode;

use msp_core::RegistryError;
use msp_keyfile::KeyFileError;
use msp_protocol::{ClientName, KeyError, SecretError};
use msp_settings::SettingsError;

/// Why a command ended without its result; each message is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdminError {
    #[error("{} cannot check what it would load: {why}; are it and msp-admin of one version?", .program.display())]
    Check { program: PathBuf, why: String },
    #[error(
        "{} belongs to uid {uid}, and this command cannot become that user: {cause}; run it as that user",
        .folder.display()
    )]
    BecomeOwner { folder: PathBuf, uid: u32, cause: std::io::Error },
    #[error("the client's public key: {0}; give the one line of its client.pub")]
    ClientKey(KeyError),
    #[error("cannot {action}: {cause}")]
    Io { action: String, cause: std::io::Error },
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error("File not found: {0}.key")]
    KeyNotFound(String),
    #[error("there is no api key {0}; `msp-admin apikey list` shows them")]
    NoSuchApiKey(ClientName),
    #[error("there is no linked client {0}; `msp-admin client list` shows them")]
    NoSuchClient(ClientName),
    #[error("no server answers at {}; start msp-server, or name its --config", .0.display())]
    NotRunning(PathBuf),
    #[error("{0}")]
    NothingFound(String),
    #[error(
        "there is no msp-server in {}, where msp-admin is, and none on PATH; install it there: it alone knows what a \
         start would load", .0.display()
    )]
    NoServerProgram(PathBuf),
    #[error(
        "{} belongs to uid {}, {} to uid {}: run this command as the server's user",
        .folders[0].display(), .uids[0], .folders[1].display(), .uids[1]
    )]
    Owners { folders: [PathBuf; 2], uids: [u32; 2] },
    /// The command was run as the owner of the folder and ended with this code; everything was said already.
    #[error("it ended with {0} as the folder's owner")]
    RanAsOwner(u8),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// Everything was said already.
    #[error("there are problems")]
    Reported,
    #[error("standard input: {0}")]
    Secret(SecretError),
    #[error("the server: {0}")]
    Server(String),
    #[error(
        "{folder}/server.pub is missing, so the client could not be told the server's key: start msp-server \
         once, or make the pair with `gen_key pair {folder}/server`; nothing was registered",
        folder = .0.display()
    )]
    ServerKeysMissing(PathBuf),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("{0}")]
    Usage(String),
    #[error("Wrong key type: {0}")]
    WrongKeyType(String),
}

impl AdminError {
    pub(crate) fn io(action: impl Into<String>, cause: std::io::Error) -> Self {
        Self::Io { action: action.into(), cause }
    }

    /// Names the api key in place of the registry's "no such api key".
    pub(crate) fn of_api_key(name: &ClientName) -> impl FnOnce(RegistryError) -> Self {
        move |error| match error {
            RegistryError::NotFound(_) => Self::NoSuchApiKey(name.clone()),
            other => other.into(),
        }
    }

    /// Names the client in place of the registry's "no such client".
    pub(crate) fn of_client(name: &ClientName) -> impl FnOnce(RegistryError) -> Self {
        move |error| match error {
            RegistryError::NotFound(_) => Self::NoSuchClient(name.clone()),
            other => other.into(),
        }
    }

    /// 2 for a wrong command line, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::RanAsOwner(code) => ExitCode::from(*code),
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    /// The line for standard error; messages that scripts know from the original gen_key stand alone.
    pub(crate) fn line(&self) -> Option<String> {
        match self {
            Self::RanAsOwner(_) | Self::Reported => None,
            Self::KeyNotFound(_) | Self::WrongKeyType(_) => Some(self.to_string()),
            _ => Some(format!("error: {self}")),
        }
    }
}
