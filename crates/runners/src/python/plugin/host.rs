//! The process of one plugin file, from its start until its plugins are there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use msp_core::{Argument, PluginsSpec};
use msp_protocol::Digest;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout_at;
use zeroize::Zeroizing;

use super::file::PluginFile;
use super::supervisor::Stopping;
use crate::isolation::Isolation;
use crate::manifest::Tallies;
use crate::python::attending::after;
use crate::python::frame::{self, CONTROL};
use crate::python::interpreter::Python;
use crate::python::loading::slow;
use crate::python::serving::message;
use crate::python::worker::{Place, Worker};
use crate::tasks::Tasks;

const PROGRAM: &str = include_str!("host.py");
/// What stands in for the packages that plugins import.
const STAND_INS: [(&str, &str); 3] = [
    ("plugincore.baseplugin", include_str!("plugincore.py")),
    ("plugincore.exchange", include_str!("exchange.py")),
    ("aiohttp.web", include_str!("aiohttp_web.py")),
];
/// The longest report, in bytes.
const REPORT: usize = 1024 * 1024;

/// What hosts are started with.
#[derive(Debug)]
pub(crate) struct Hosting {
    /// The interpreter.
    pub(crate) python: Arc<Python>,
    pub(crate) isolation: Arc<Isolation>,
    pub(crate) tasks: Arc<Tasks>,
    /// Tells supervisors to end.
    pub(crate) stopping: Arc<Stopping>,
    pub(crate) tallies: Arc<Tallies>,
}

/// What a host is told first: the file to load, and what its plugins are given.
#[derive(Serialize)]
pub(super) struct LoadCommand {
    name: String,
    file: String,
    folder: String,
    source: Arc<str>,
    kwargs: Map<String, Value>,
    config: Value,
    options: Value,
    standins: BTreeMap<&'static str, &'static str>,
}

impl LoadCommand {
    pub(super) fn new(file: &PluginFile, spec: &PluginsSpec) -> Self {
        Self {
            name: file.stem.clone(),
            file: file.path.to_string_lossy().into_owned(),
            folder: spec.folder.to_string_lossy().into_owned(),
            source: file.source.clone(),
            kwargs: file.parameters.clone(),
            config: spec.config.clone(),
            options: json!({ "log": null, "level": "DEBUG", "ini_file": spec.ini_file }),
            standins: STAND_INS.into(),
        }
    }
}

/// A plugin as its host tells of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PluginReport {
    /// Its place among the plugins of the file.
    pub(super) index: usize,
    /// Its class.
    pub(super) class: String,
    /// The id it wants.
    pub(super) id: String,
    pub(super) auth_type: Option<String>,
    /// The digest of the key of its own.
    #[serde(rename = "apikey", deserialize_with = "digest")]
    pub(super) own_key: Option<Digest>,
    pub(super) description: String,
    pub(super) arguments: Vec<Argument>,
}

/// The digest of a key's text, which goes no further.
fn digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Digest>, D::Error> {
    let key = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
    Ok(key.filter(|key| !key.is_empty()).map(|key| Digest::of(key.as_bytes())))
}

/// What came of loading a file.
#[derive(Debug, Deserialize)]
pub(super) struct Report {
    pub(super) plugins: Vec<PluginReport>,
    pub(super) failed: Vec<Failed>,
}

/// A class that has become no plugin; without a name, the file as a whole.
#[derive(Debug, Deserialize)]
pub(super) struct Failed {
    pub(super) class: String,
    pub(super) error: String,
}

/// Starts a host and has it load the file.
///
/// # Errors
/// Why there is no host, for the log.
pub(super) async fn start(
    hosting: &Hosting,
    file: &PluginFile,
    order: &LoadCommand,
    folder: &std::path::Path,
) -> Result<(Worker, Report), String> {
    let interpreter = hosting.python.interpreter().await?;
    let mut roots = interpreter.roots.clone();
    roots.push(folder.to_owned());
    let confinement = hosting.isolation.confinement(file.memory, &file.confinement, &roots);
    let confinement = confinement.map_err(|exposed| exposed.to_string())?;
    let place = Place { python: hosting.python.named(), folder };
    let name = format!("plugin {}", file.stem);
    let mut host = Worker::start(&place, PROGRAM, &name, &interpreter, &confinement)
        .map_err(|error| format!("{} cannot be started: {error}", hosting.python.named().display()))?;
    match load(&mut host, order, file.limits.load_timeout).await {
        Ok(report) => Ok((host, report)),
        Err(error) => {
            let how = host.end().await;
            Err(format!("{error} while it was loading ({how})"))
        }
    }
}

async fn load(host: &mut Worker, order: &LoadCommand, limit: Duration) -> Result<Report, String> {
    let slow = || slow("msp_load_timeout", limit);
    let order = serde_json::to_vec(order).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    frame::append(&mut bytes, CONTROL, &order);
    let deadline = after(limit);
    let sent = timeout_at(deadline, host.stream.write_all(&bytes)).await;
    sent.map_err(|_| slow())?.map_err(|error| format!("it ended: {error}"))?;
    let frame = timeout_at(deadline, next_frame(host, REPORT)).await.map_err(|_| slow())??;
    let (CONTROL, report) = frame else { return Err("it answered before it was asked".to_owned()) };
    let mut report: Report =
        serde_json::from_slice(&report).map_err(|error| format!("its report is unreadable: {error}"))?;
    for failed in &mut report.failed {
        failed.error = message(failed.error.as_bytes());
    }
    Ok(report)
}

/// The next frame from a host.
///
/// # Errors
/// That it ended, or said too much.
pub(super) async fn next_frame(host: &mut Worker, limit: usize) -> Result<(u64, Vec<u8>), String> {
    loop {
        if let Some(frame) = host.inbox.take(limit).map_err(|_| "it said too much")? {
            return Ok(frame);
        }
        match host.stream.read_buf(host.inbox.buffer()).await {
            Ok(count) if count > 0 => {}
            _ => return Err("it ended".to_owned()),
        }
    }
}
