//! One worker process, from its start until its modules are loaded.

use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::PythonConfig;
use super::attending::after;
use super::frame::{self, CONTROL, Inbox};
use super::interpreter::Interpreter;
use super::loading::{Candidate, Course, Helper, Report, leave_out, slow, sources};
use crate::isolation::Confinement;
use crate::output::{log_leveled_lines, log_lines};
use crate::spawn::{Group, Launch};

const PROGRAM: &str = concat!(include_str!("leavings.py"), include_str!("worker.py"));
/// How long the last lines a worker printed are waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

#[derive(Serialize)]
struct LoadCommand<'a> {
    folders: Vec<std::borrow::Cow<'a, str>>,
    helpers: &'a [Helper],
    modules: &'a [Candidate],
}

/// Starts a worker and has it load what can be loaded. A source that ends or blocks the worker is left out.
///
/// # Errors
/// The reason, for the log, when there is no worker.
pub(super) async fn start(
    config: &PythonConfig,
    mut candidates: Vec<Candidate>,
    helpers: &[Helper],
) -> Result<(Worker, Report), String> {
    let mut failures = Vec::new();
    // Even when every source blocks its worker there is as much time again, for starts and for what loads well.
    let count = u32::try_from(sources(&candidates)).unwrap_or(u32::MAX);
    let limit = config.demands.load_timeout;
    let last_start = after(limit.saturating_mul(count).saturating_mul(2));
    loop {
        let launched = Worker::launch(config).await;
        let mut worker = launched
            .map_err(|error| format!("{} cannot be started: {error}", config.python.named().display()))?;
        let mut course = Course::new(&candidates, limit, failures.clone());
        let error = match worker.load(config, &candidates, helpers, &mut course).await {
            Ok(()) => return Ok((worker, course.report)),
            Err(error) => error,
        };
        let culprit = course.culprit;
        let how = worker.end().await;
        // A start that leaves nothing out would fail again and again.
        let Some(module) = culprit.and_then(|turn| leave_out(&mut candidates, turn)) else {
            return Err(format!("{} runs no worker: {error} ({how})", config.python.named().display()));
        };
        failures.push((module, format!("{error} while it was loading ({how})")));
        // Each start may take its time for each source; many in a row must not keep the server from its work.
        if after(Duration::ZERO) > last_start {
            return Err(format!(
                "{} runs no worker: loading takes too long",
                config.python.named().display()
            ));
        }
    }
}

/// Where a Python process runs: the interpreter as it was named, and the working folder.
pub(super) struct Place<'a> {
    pub(super) python: &'a Path,
    pub(super) folder: &'a Path,
}

/// A worker process; it ends with everything it has started when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(super) group: Group,
    pub(super) stream: UnixStream,
    pub(super) inbox: Inbox,
    prints: JoinSet<()>,
}

impl Worker {
    async fn launch(config: &PythonConfig) -> Result<Self, String> {
        let (interpreter, confinement) = config.confined().await?;
        let folders = config.isolation.folders();
        let folder = folders.iter().find(|folder| folder.is_dir());
        let place =
            Place { python: config.python.named(), folder: folder.map_or(Path::new("/"), PathBuf::as_path) };
        Self::start(&place, PROGRAM, "python", &interpreter, &confinement).map_err(|error| error.to_string())
    }

    /// Starts a program of ours; `name` stands before what it prints.
    pub(super) fn start(
        place: &Place<'_>,
        program: &str,
        name: &str,
        interpreter: &Interpreter,
        confinement: &Confinement,
    ) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let flags = ["-I", "-B", "-u", "-X", "utf8", "-c", program].map(OsStr::new);
        let environment = std::env::var_os("VIRTUAL_ENV").filter(|folder| place.python.starts_with(folder));
        let mut group = confinement.start(Launch {
            program: &interpreter.program,
            arguments: &flags,
            folder: place.folder,
            variables: environment.as_deref().map(|folder| ("VIRTUAL_ENV", folder)).as_slice(),
            input: Some(OwnedFd::from(theirs)),
        })?;
        let (_, output, errors) = group.pipes();
        let mut prints = JoinSet::new();
        if let Some(output) = output {
            let name = name.to_owned();
            prints.spawn(async move { log_lines(&name, output).await });
        }
        if let Some(errors) = errors {
            let name = name.to_owned();
            prints.spawn(async move { log_leveled_lines(&name, errors).await });
        }
        Ok(Self { group, stream: UnixStream::from_std(ours)?, inbox: Inbox::default(), prints })
    }

    /// Sends the order to load the modules, and follows the reports on it.
    async fn load(
        &mut self,
        config: &PythonConfig,
        modules: &[Candidate],
        helpers: &[Helper],
        course: &mut Course<'_>,
    ) -> Result<(), String> {
        let folders = config.isolation.folders();
        // The search path, as it is put on `sys.path`.
        let folders = folders.iter().map(|folder| folder.to_string_lossy()).collect();
        let order = serde_json::to_vec(&LoadCommand { folders, helpers, modules })
            .map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        frame::append(&mut bytes, CONTROL, &order);
        let limit = config.demands.load_timeout;
        let sent = timeout(limit, self.stream.write_all(&bytes)).await;
        sent.map_err(|_| slow("LoadTimeout", limit))?.map_err(|error| format!("it ended: {error}"))?;
        course.follow(&mut self.stream, &mut self.inbox).await
    }

    /// Ends the worker with everything it has started; how its process ended, for the log.
    pub(super) async fn end(mut self) -> String {
        let status = self.group.end().await;
        let _cut_off = timeout(LAST_LINES, async { while self.prints.join_next().await.is_some() {} }).await;
        status.map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}
