//! A Python process, its socket and what it prints.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::exchange::{Exchange, Failure, run};
use super::frame::ReadBuffer;
use crate::isolation::Confinement;
use crate::output::{log_leveled_lines, log_lines};
use crate::python::interpreter::Interpreter;
use crate::spawn::{Group, Launch};

/// How long the last lines that a process printed are waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A Python process; it ends with everything it has started when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    group: Group,
    stream: UnixStream,
    input: ReadBuffer,
    logs: JoinSet<()>,
}

impl Process {
    /// Starts a program of ours in this working folder; `name` stands before what it prints.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::python) fn start(
        interpreter: &Interpreter,
        program: &str,
        name: &str,
        folder: &Path,
        confinement: &Confinement,
    ) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let flags = ["-I", "-B", "-u", "-X", "utf8", "-c", program].map(OsStr::new);
        let environment =
            std::env::var_os("VIRTUAL_ENV").filter(|folder| interpreter.named.starts_with(folder));
        let mut group = confinement.start(Launch {
            program: &interpreter.program,
            arguments: &flags,
            folder,
            variables: environment.as_deref().map(|folder| ("VIRTUAL_ENV", folder)).as_slice(),
            input: Some(OwnedFd::from(theirs)),
        })?;
        let (_, output, errors) = group.pipes();
        let mut logs = JoinSet::new();
        if let Some(output) = output {
            let name = name.to_owned();
            logs.spawn(async move { log_lines(&name, output).await });
        }
        if let Some(errors) = errors {
            let name = name.to_owned();
            logs.spawn(async move { log_leveled_lines(&name, errors).await });
        }
        Ok(Self { group, stream: UnixStream::from_std(ours)?, input: ReadBuffer::default(), logs })
    }

    /// Exchanges frames until no call can come any more and the exchange is done.
    ///
    /// # Errors
    /// Why the process cannot go on; it is still to be ended.
    pub(in crate::python) async fn exchange<E: Exchange>(
        &mut self,
        exchange: &mut E,
        calls: &mut UnboundedReceiver<E::Call>,
    ) -> Result<(), Failure> {
        let (reader, writer) = self.stream.split();
        run(reader, writer, &mut self.input, self.group.exited(), exchange, calls).await
    }

    /// Ends the process with everything it has started; how it ended, for the log.
    pub(in crate::python) async fn end(mut self) -> String {
        let status = self.group.end().await;
        let _cut_off = timeout(LAST_LINES, async { while self.logs.join_next().await.is_some() {} }).await;
        status.map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}
