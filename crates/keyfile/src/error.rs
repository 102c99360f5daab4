//! What can go wrong with a key file; each message is one line for the operator.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use msp_protocol::{KeyError, SecretError};
use rustix::io::Errno;

/// Which half of a key pair a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The secret one, `*.key`.
    Private,
    /// The one that is given away, `*.pub`.
    Public,
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Private => "private",
            Self::Public => "public",
        })
    }
}

/// Why a key file could not be read or written; each message names the file and a next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// A file that is never overwritten is in the way.
    #[error("{} exists already and is kept; move it away, or choose another name", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused, for another reason than a missing or an existing file.
    #[error("cannot {action} {}: {cause}; check the path, its owner and its permissions", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried: `read`, `create`, …
        action: &'static str,
        /// What the operating system said.
        cause: io::Error,
    },
    /// The file does not hold the key it should.
    #[error("{}: not a {half} key: {cause}; put the right file there, or make a new pair with gen_key", .path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// Which half it should hold.
        half: Half,
        /// What is wrong with it.
        cause: KeyError,
    },
    /// A file is where a folder should be.
    #[error("{} is no folder, or a file is on the way to it; move that away, or name a folder", .path.display())]
    NotAFolder {
        /// The folder that should be.
        path: PathBuf,
    },
    /// A symbolic link that another user may have made.
    #[error(
        "{} is, or lies behind, a symbolic link that another user can make, which is not followed; name the place \
         where it leads", .path.display()
    )]
    Link {
        /// The file or folder.
        path: PathBuf,
    },
    /// The two halves of a pair do not belong together.
    #[error(
        "{} does not belong to {}; put the right private half back, or remove the public one to have it rebuilt",
        .public.display(), .private.display()
    )]
    Mismatch {
        /// The private half.
        private: PathBuf,
        /// The public half.
        public: PathBuf,
    },
    /// Something else has the file's name.
    #[error("{} is a {what}, not a file; move it away, or check the path", .path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
        /// What it is: `folder`, `named pipe`, …
        what: &'static str,
    },
    /// No such file, or no folder to put it in.
    #[error("{} does not exist; check the path", .path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("{}: not a text file; check the path", .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The public half of the server's pair stands alone.
    #[error(
        "{} is missing but {} exists; restore the private half from a backup, or move the public one away to \
         have a new pair made (every client then needs the new public key)",
        .private.display(), .public.display()
    )]
    PrivateHalfMissing {
        /// The private half, which is missing.
        private: PathBuf,
        /// The public half.
        public: PathBuf,
    },
    /// The file does not hold a client secret.
    #[error("{}: {cause}; copy the secret again, as appendclient printed it", .path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: SecretError,
    },
    /// The file is larger than any legal one.
    #[error("{}: more than {max_bytes} bytes; check the path", .path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        max_bytes: usize,
    },
}

/// A thing that is no regular file, by its kind, on its way through an [`io::Error`].
#[derive(Debug, thiserror::Error)]
#[error("a {0}, not a file")]
pub(crate) struct NotAFile(pub(crate) &'static str);

impl KeyFileError {
    /// What is wrong, without the file's name and the advice: for lists that name the file themselves.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Io { cause, .. } => cause.to_string(),
            Self::Link { .. } => "a symbolic link, which is not followed".to_owned(),
            Self::NotAFile { what, .. } => format!("a {what}, not a file"),
            Self::NotText { .. } => "not a text file".to_owned(),
            Self::TooLong { max_bytes, .. } => format!("more than {max_bytes} bytes"),
            other => other.to_string(),
        }
    }

    /// Sorts an error of the operating system into the variants.
    pub(crate) fn io(path: &Path, action: &'static str, cause: io::Error) -> Self {
        let path = path.to_owned();
        if let Some(NotAFile(what)) = cause.get_ref().and_then(|cause| cause.downcast_ref()) {
            return Self::NotAFile { path, what };
        }
        match cause.kind() {
            _ if cause.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Self::Link { path },
            io::ErrorKind::AlreadyExists => Self::Exists { path },
            io::ErrorKind::NotFound => Self::NotFound { path },
            _ => Self::Io { path, action, cause },
        }
    }
}
