//! The start of a worker, until its modules are loaded.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::config::PythonConfig;
use super::loading::{Candidate, Helper, LoadReport, ModuleLoads, remove_source, sources};
use crate::python::process::{Process, after};

const PROGRAM: &str = concat!(include_str!("reaper.py"), include_str!("worker.py"));

#[derive(Serialize)]
struct LoadCommand<'a> {
    /// The search path, as it is put on `sys.path`.
    folders: Vec<Cow<'a, str>>,
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
) -> Result<(Process, LoadReport), String> {
    let python = config.python.named().display();
    let mut failures = Vec::new();
    // Even when every source blocks its worker there is as much time again, for starts and for what loads well.
    let count = u32::try_from(sources(&candidates)).unwrap_or(u32::MAX);
    let limit = config.demands.load_timeout;
    let last_start = after(limit.saturating_mul(count).saturating_mul(2));
    loop {
        let launched = launch(config).await;
        let mut worker = launched.map_err(|error| format!("{python} cannot be started: {error}"))?;
        let mut loads = ModuleLoads::new(&candidates, failures.clone());
        let folders = config.isolation.folders();
        let folders = folders.iter().map(|folder| folder.to_string_lossy()).collect();
        let command = LoadCommand { folders, helpers, modules: &candidates };
        let error = match worker.load(&command, limit, &mut loads).await {
            Ok(()) => return Ok((worker, loads.report)),
            Err(error) => error,
        };
        let culprit = loads.culprit;
        let how = worker.end().await;
        // A start that leaves nothing out would fail again and again.
        let Some(module) = culprit.and_then(|position| remove_source(&mut candidates, position)) else {
            return Err(format!("{python} runs no worker: {error} ({how})"));
        };
        failures.push((module, format!("{error} while it was loading ({how})")));
        // Each start may take its time for each source; many in a row must not keep the server from its work.
        if after(Duration::ZERO) > last_start {
            return Err(format!("{python} runs no worker: loading takes too long"));
        }
    }
}

async fn launch(config: &PythonConfig) -> Result<Process, String> {
    let (interpreter, confinement) = config.confined().await?;
    let folders = config.isolation.folders();
    let folder = folders.iter().find(|folder| folder.is_dir()).map_or(Path::new("/"), PathBuf::as_path);
    let started = Process::start(&interpreter, PROGRAM, "python", folder, &confinement);
    started.map_err(|error| error.to_string())
}
