//! Talks to the running server over its control socket.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use msp_core::control::{MAX_LINE, Reply, Request, SOCKET, Status};

use crate::error::AdminError;

/// The control socket of one server, which may or may not run.
#[derive(Debug)]
pub(crate) struct Control {
    socket: PathBuf,
}

impl Control {
    /// Names the socket in the server's key folder; nothing is opened yet.
    pub(crate) fn new(keypath: &Path) -> Self {
        Self { socket: keypath.join(SOCKET) }
    }

    /// Asks the server.
    ///
    /// # Errors
    /// [`AdminError::NotRunning`] when none listens, [`AdminError::Server`] when it could not do it, or what
    /// the socket says.
    pub(crate) fn ask(&self, request: &Request) -> Result<Reply, AdminError> {
        self.try_ask(request)?.ok_or_else(|| AdminError::NotRunning(self.socket.clone()))
    }

    /// Asks the server if one runs; `None` when none does.
    ///
    /// # Errors
    /// As [`Control::ask`], but for [`AdminError::NotRunning`].
    pub(crate) fn try_ask(&self, request: &Request) -> Result<Option<Reply>, AdminError> {
        let stream = match UnixStream::connect(&self.socket) {
            Ok(stream) => stream,
            Err(error) if is_not_listening(&error) => return Ok(None),
            Err(cause) => return Err(self.failed(cause)),
        };
        match converse(stream, request).map_err(|cause| self.failed(cause))? {
            Reply::Failed { message } => Err(AdminError::Server(message)),
            reply => Ok(Some(reply)),
        }
    }

    /// Asks how the server is; `None` when none runs.
    ///
    /// # Errors
    /// As [`Control::try_ask`].
    pub(crate) fn status(&self) -> Result<Option<Status>, AdminError> {
        match self.try_ask(&Request::Status)? {
            None => Ok(None),
            Some(Reply::Status { status }) => Ok(Some(*status)),
            Some(_) => Err(self.unexpected()),
        }
    }

    /// The error for an answer to another question.
    pub(crate) fn unexpected(&self) -> AdminError {
        self.failed(io::Error::other(
            "an answer to another question; are server and msp-admin of one version?",
        ))
    }

    fn failed(&self, cause: io::Error) -> AdminError {
        AdminError::io(format!("talk to the server over {}", self.socket.display()), cause)
    }
}

/// No socket, or one that a killed server left behind.
fn is_not_listening(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn converse(mut stream: UnixStream, request: &Request) -> io::Result<Reply> {
    stream.set_write_timeout(Some(QUESTION_TIMEOUT))?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    let mut line = serde_json::to_string(request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut answer = String::new();
    BufReader::new(stream.take(MAX_LINE as u64)).read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::other("it answers its own user and root only"));
    }
    Ok(serde_json::from_str(&answer)?)
}

/// How long the server may take to read a question.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take to answer; a restore of a large registry is the longest.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);
