//! Why a command ended without its result, and the exit code that says so.

use std::path::PathBuf;
use std::process::ExitCode;

use msp_client::ClientError;
use msp_keyfile::KeyFileError;
use msp_protocol::DecodeError;

/// Why a command ended without its result; each message is one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("nothing was changed")]
    Declined,
    #[error(
        "client.key is in this folder, and {} {} not, and no profile is of that key; put the server's key and the \
         secret beside it, or give --profile NAME",
        .missing.join(" and "), if .missing.len() == 1 { "is" } else { "are" }
    )]
    Incomplete { missing: Vec<&'static str> },
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

    /// What a script tells it by: the server's code, or that of its kind.
    pub(crate) fn code(&self) -> String {
        match self {
            Self::Client(ClientError::Answer { code, .. }) => return code.to_string(),
            Self::Client(ClientError::Connect { .. }) => "not_connected",
            Self::Client(ClientError::Interrupted { .. } | ClientError::Timeout { .. }) => "no_answer",
            Self::Client(ClientError::NotAuthentic { .. }) => "not_authentic",
            Self::Client(ClientError::Refused { .. }) => "refused",
            Self::Client(_) => "failed",
            Self::Usage(_) => "usage",
            _ => "local",
        }
        .to_owned()
    }
}
