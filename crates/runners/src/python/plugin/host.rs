//! The process of one plugin file, from its start until its plugins are there.

use std::collections::BTreeMap;
use std::sync::Arc;

use msp_core::{Argument, PluginsSpec};
use msp_protocol::Digest;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::file::PluginFile;
use super::stop_signal::StopSignal;
use crate::isolation::Isolation;
use crate::python::answer::message;
use crate::python::interpreter::Python;
use crate::python::process::{Fault, Process, Progress, Reports};
use crate::tallies::Tallies;
use crate::tasks::Tasks;

const PROGRAM: &str = include_str!("host.py");
/// What stands in for the packages that plugins import.
const STAND_INS: [(&str, &str); 3] = [
    ("plugincore.baseplugin", include_str!("plugincore.py")),
    ("plugincore.exchange", include_str!("exchange.py")),
    ("aiohttp.web", include_str!("aiohttp_web.py")),
];
/// The longest report, in bytes.
const LONGEST_REPORT: usize = 1024 * 1024;

/// What all hosts are started with.
#[derive(Debug)]
pub(crate) struct HostContext {
    /// The interpreter.
    pub(crate) python: Arc<Python>,
    pub(crate) isolation: Arc<Isolation>,
    pub(crate) tasks: Arc<Tasks>,
    /// Tells supervisors to end.
    pub(crate) stop_signal: Arc<StopSignal>,
    pub(crate) tallies: Arc<Tallies>,
}

/// What a host is sent first: the file to load, and what its plugins are given.
#[derive(Serialize)]
struct LoadCommand {
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
    fn new(file: &PluginFile, spec: &PluginsSpec) -> Self {
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

/// A plugin as its host reports it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct PluginReport {
    /// Its position among the plugins of the file.
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
pub(super) struct LoadReport {
    pub(super) plugins: Vec<PluginReport>,
    pub(super) failed: Vec<Failed>,
}

/// A class that has become no plugin; without a name, the file as a whole.
#[derive(Debug, Deserialize)]
pub(super) struct Failed {
    pub(super) class: String,
    pub(super) error: String,
}

/// The one report of a host that loads.
#[derive(Default)]
struct HostReport(Option<LoadReport>);

impl Reports for HostReport {
    const TIMEOUT_KEY: &'static str = "msp_load_timeout";
    const ENDED: &'static str = "it ended";
    const TOO_LONG: &'static str = "it said too much";
    const TIMES_COMMAND: bool = true;

    fn longest(&self) -> usize {
        LONGEST_REPORT
    }

    fn take(&mut self, report: &[u8]) -> Result<Progress, Fault> {
        let report = serde_json::from_slice(report);
        self.0 = Some(report.map_err(|error| format!("its report is unreadable: {error}"))?);
        Ok(Progress::Done)
    }
}

/// Starts a host and has it load the file.
///
/// # Errors
/// Why there is no host, for the log.
pub(super) async fn start(
    context: &HostContext,
    file: &PluginFile,
    spec: &PluginsSpec,
) -> Result<(Process, LoadReport), String> {
    let interpreter = context.python.interpreter().await?;
    let mut roots = interpreter.roots.clone();
    roots.push(spec.folder.clone());
    let confinement = context.isolation.confinement(file.memory, &file.confinement, &roots);
    let confinement = confinement.map_err(|exposed| exposed.to_string())?;
    let name = format!("plugin {}", file.stem);
    let mut host = Process::start(&interpreter, PROGRAM, &name, &spec.folder, &confinement)
        .map_err(|error| format!("{} cannot be started: {error}", context.python.named().display()))?;
    let mut reported = HostReport::default();
    let loaded = host.load(&LoadCommand::new(file, spec), file.limits.load_timeout, &mut reported).await;
    match loaded.and_then(|()| reported.0.ok_or_else(|| HostReport::ENDED.to_owned())) {
        Ok(mut report) => {
            for failed in &mut report.failed {
                failed.error = message(failed.error.as_bytes());
            }
            Ok((host, report))
        }
        Err(error) => {
            let how = host.end().await;
            Err(format!("{error} while it was loading ({how})"))
        }
    }
}
