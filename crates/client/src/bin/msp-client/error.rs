//! Why a command ended without its result, and the exit code that says so.

use std::path::PathBuf;
use std::process::ExitCode;

use msp_client::ClientError;
use msp_keyfile::KeyFileError;
use msp_protocol::DecodeError;

use crate::output;

/// Why a command ended without its result; each message is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("nothing was changed")]
    Declined,
    #[error(
        "the enrolment line cannot be opened with {key} ({cause}); ask for a line made for your public key"
    )]
    Enrolment { key: String, cause: DecodeError },
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    #[error("File not found: {0}.key")]
    KeyNotFound(String),
    #[error("the reason was logged")]
    Logged,
    #[error(
        "no keys: {} not in this folder, and no default profile in {}; make a pair with `msp-client gen_key pair \
         client` and join",
        .missing.join(" and "), .profiles.display()
    )]
    NoKeys { missing: Vec<&'static str>, profiles: PathBuf },
    #[error("no place for profiles: neither XDG_CONFIG_HOME nor HOME names a folder")]
    NoProfileFolder,
    #[error("cannot {action}: {cause}")]
    Io { action: &'static str, cause: std::io::Error },
    #[error(
        "profile {profile} is pinned to another server key ({pinned}); --profile NAME keeps both, --force replaces it"
    )]
    Pinned { profile: String, pinned: String },
    #[error("{}: {reason}", .path.display())]
    ProfileFile { path: PathBuf, reason: String },
    #[error("{0}")]
    Usage(String),
    #[error("Wrong key type: {0}")]
    WrongKeyType(String),
}

impl CliError {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// 2 for a wrong command line, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }

    /// Prints the message; those that scripts know from the original gen_key stand alone on their line.
    pub(crate) fn print(&self) {
        match self {
            Self::Logged => {}
            Self::KeyNotFound(_) | Self::WrongKeyType(_) => output::note(&self.to_string()),
            _ => output::note(&format!("error: {self}")),
        }
    }
}
