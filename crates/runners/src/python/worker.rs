//! One worker process, from its start until its modules are loaded.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::frame::{self, CONTROL, Inbox};
use super::interpreter::Interpreter;
use super::{Listed, PythonConfig};
use crate::isolation::Confinement;
use crate::output::{escaped, log_lines};
use crate::spawn::{Group, Launch};

const PROGRAM: &str = include_str!("worker.py");
/// How long one module may take to load, and the interpreter to start.
const LOAD: Duration = Duration::from_secs(30);
/// The longest report on loading, in bytes.
const REPORT: usize = 64 * 1024 * 1024;
/// How long the last lines a worker printed are waited for.
const LAST_LINES: Duration = Duration::from_secs(1);

/// A module to load, with its sources in the order they are tried.
#[derive(Debug, Serialize)]
pub(super) struct Candidate {
    name: String,
    path: String,
    package: bool,
    sources: Vec<Arc<str>>,
}

impl Candidate {
    pub(super) fn new(listed: &Listed, sources: Vec<Arc<str>>) -> Self {
        let path = listed.path.to_string_lossy().into_owned();
        Self { name: listed.name.clone(), path, package: listed.package, sources }
    }
}

/// Another module of the search path that was imported: name, path, whether it is a package, source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Helper(String, String, bool, Arc<str>);

#[derive(Serialize)]
struct Order<'a> {
    folders: Vec<std::borrow::Cow<'a, str>>,
    helpers: &'a [Helper],
    modules: &'a [Candidate],
}

/// What a worker says while it loads.
#[derive(Deserialize)]
#[serde(untagged)]
enum Progress {
    Failed { failed: String, error: String },
    Loaded { loaded: String, attempt: usize, asynchronous: bool },
    Loading { loading: String, attempt: usize },
    Ready { helpers: Vec<Helper> },
}

/// What came of loading.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// The source each module loaded from, and whether it is asynchronous.
    pub(super) loaded: BTreeMap<String, (Arc<str>, bool)>,
    /// Everything else of the search path that was imported.
    pub(super) helpers: Vec<Helper>,
    failures: Vec<(String, String)>,
}

impl Report {
    /// The modules that did not load from their first source, each with the error of its first try.
    pub(super) fn first_failures(&self) -> BTreeMap<&str, &str> {
        self.failures.iter().rev().map(|(module, error)| (module.as_str(), error.as_str())).collect()
    }
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
    loop {
        let launched = Worker::launch(config).await;
        let mut worker =
            launched.map_err(|error| format!("{} cannot be started: {error}", config.python.display()))?;
        let mut at = None;
        let mut report = Report { failures: failures.clone(), ..Report::default() };
        let error = match worker.load(config, &candidates, helpers, &mut report, &mut at).await {
            Ok(()) => return Ok((worker, report)),
            Err(error) => error,
        };
        let how = worker.end().await;
        let Some((module, attempt)) = at else {
            return Err(format!("{} runs no worker: {error} ({how})", config.python.display()));
        };
        failures.push((module.clone(), format!("{error} while it was loading ({how})")));
        for candidate in candidates.iter_mut().filter(|candidate| candidate.name == module) {
            if attempt < candidate.sources.len() {
                candidate.sources.remove(attempt);
            }
        }
        candidates.retain(|candidate| !candidate.sources.is_empty());
    }
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
        Self::start(config, interpreter, &confinement).map_err(|error| error.to_string())
    }

    fn start(
        config: &PythonConfig,
        interpreter: &Interpreter,
        confinement: &Confinement,
    ) -> io::Result<Self> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let flags = ["-I", "-B", "-u", "-X", "utf8", "-c", PROGRAM].map(OsStr::new);
        let environment = std::env::var_os("VIRTUAL_ENV").filter(|folder| config.python.starts_with(folder));
        let mut group = Launch {
            program: &interpreter.program,
            arguments: &flags,
            folder: config
                .folders
                .iter()
                .find(|folder| folder.is_dir())
                .map_or(Path::new("/"), PathBuf::as_path),
            variables: environment.as_deref().map(|folder| ("VIRTUAL_ENV", folder)).as_slice(),
            input: Some(OwnedFd::from(theirs)),
            confinement,
        }
        .start()?;
        let (_, output, errors) = group.pipes();
        let mut prints = JoinSet::new();
        if let Some(output) = output {
            prints.spawn(async { log_lines("python", output).await });
        }
        if let Some(errors) = errors {
            prints.spawn(async { log_lines("python", errors).await });
        }
        Ok(Self { group, stream: UnixStream::from_std(ours)?, inbox: Inbox::default(), prints })
    }

    /// Loads the modules; `at` is the module and source under way, and so the culprit when this fails.
    async fn load(
        &mut self,
        config: &PythonConfig,
        modules: &[Candidate],
        helpers: &[Helper],
        report: &mut Report,
        at: &mut Option<(String, usize)>,
    ) -> Result<(), String> {
        let folders = config.folders.iter().map(|folder| folder.to_string_lossy()).collect();
        let order =
            serde_json::to_vec(&Order { folders, helpers, modules }).map_err(|error| error.to_string())?;
        let mut bytes = Vec::new();
        frame::append(&mut bytes, CONTROL, &order);
        let sent = timeout(LOAD, self.stream.write_all(&bytes)).await;
        sent.map_err(|_| slow())?.map_err(|error| format!("it ended: {error}"))?;
        loop {
            let body = timeout(LOAD, self.next_report()).await.map_err(|_| slow())??;
            match serde_json::from_slice(&body).map_err(|error| format!("a report is unreadable: {error}"))? {
                Progress::Ready { helpers } => {
                    report.helpers = helpers;
                    return Ok(());
                }
                Progress::Loading { loading, attempt } => *at = Some((loading, attempt)),
                Progress::Failed { failed, error } => {
                    report.failures.push((failed, escaped(error.as_bytes())));
                }
                Progress::Loaded { loaded, attempt, asynchronous } => {
                    let source = modules.iter().find(|module| module.name == loaded);
                    if let Some(source) = source.and_then(|module| module.sources.get(attempt)) {
                        report.loaded.insert(loaded, (source.clone(), asynchronous));
                    }
                }
            }
        }
    }

    async fn next_report(&mut self) -> Result<Vec<u8>, String> {
        loop {
            if let Some((_, body)) = self.inbox.take(REPORT).map_err(|_| "a report is too long")? {
                return Ok(body);
            }
            match self.stream.read_buf(self.inbox.buffer()).await {
                Ok(count) if count > 0 => {}
                _ => return Err("the worker ended".into()),
            }
        }
    }

    /// Ends the worker with everything it has started; how its process ended, for the log.
    pub(super) async fn end(mut self) -> String {
        let status = self.group.end().await;
        let _cut_off = timeout(LAST_LINES, async { while self.prints.join_next().await.is_some() {} }).await;
        status.map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

fn slow() -> String {
    format!("it took longer than {} s", LOAD.as_secs())
}
