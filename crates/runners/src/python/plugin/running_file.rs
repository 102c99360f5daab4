//! One file of plugins that runs: what its host has told of it, and who may call it.

use std::path::Path;
use std::sync::Arc;

use msp_core::{Function, PluginsSpec};
use msp_protocol::FunctionName;
use serde_json::{Map, Value};

use super::file::{self, PluginFile};
use super::host::{Hosting, LoadCommand, PluginReport, start};
use super::supervisor::{HostEnded, keep};
use super::{accept, function, refusal, route};
use crate::python::worker::Worker;

/// One file that runs.
pub(super) struct RunningFile {
    stem: String,
    /// Its plugins, each as its host has told of it.
    plugins: Vec<(Arc<Function>, PluginReport)>,
    /// The parameters it was loaded with.
    parameters: Map<String, Value>,
    pub(super) gone: HostEnded,
    /// Whether some of its classes did not load, or were refused.
    incomplete: bool,
}

/// What does not load, by the name that it would most likely have.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) name: String,
    pub(super) why: Arc<str>,
}

impl RunningFile {
    pub(super) fn has(&self, name: &FunctionName) -> bool {
        self.functions().any(|function| function.name == *name)
    }

    pub(super) fn functions(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.plugins.iter().map(|(function, _)| function)
    }

    /// A plugin of this one that the other has lost. One that was taken out of the file is no loss, unless it is the
    /// one that is wanted.
    pub(super) fn lost_in(&self, other: &Self, wanted: Option<&FunctionName>) -> Option<&FunctionName> {
        let names = self.functions().map(|function| &function.name);
        let mut lost = names.filter(|name| !other.has(name) && (other.incomplete || Some(*name) == wanted));
        lost.next()
    }

    /// Stays although its file does not load any more; who may call it is what the configuration says now. A plugin for
    /// which it says nothing sensible is left out.
    pub(super) fn judge_anew(&mut self, spec: &PluginsSpec) {
        let given = file::given(&self.stem, spec);
        // What a file of parameters said is not read again: the old word counts where there is no new one.
        let told_before = self
            .parameters
            .clone()
            .into_iter()
            .filter(|(name, _)| self.parameters.contains_key("json") && !given.contains_key(name));
        let parameters: Map<_, _> = told_before.chain(given.clone()).collect();
        self.plugins.retain_mut(|(function, told)| match route(told, &parameters, spec) {
            Ok(route) => {
                if function.route != Some(route) {
                    *function = Arc::new(Function { route: Some(route), ..(**function).clone() });
                }
                true
            }
            Err(why) => {
                tracing::error!("plugin file {}.py: {}", self.stem, refusal(told, &why));
                false
            }
        });
    }
}

/// A host that has loaded its file, whose plugins are not accepted yet.
pub(super) struct Opened {
    file: PluginFile,
    host: Worker,
    told: Vec<PluginReport>,
    /// The classes that did not load.
    failures: Vec<Failure>,
}

/// Starts the host of a file; none when no plugin is defined in it.
pub(super) async fn open(
    hosting: &Hosting,
    path: &Path,
    spec: &PluginsSpec,
) -> Result<Option<Opened>, String> {
    let (path, given) = (path.to_owned(), spec.clone());
    let reading = tokio::task::spawn_blocking(move || PluginFile::read(&path, &given));
    let file = reading.await.map_err(|error| error.to_string())??;
    let (host, report) = start(hosting, &file, &LoadCommand::new(&file, spec), &spec.folder).await?;
    if report.plugins.is_empty() {
        host.end().await;
        let told = report.failed.iter().map(|failed| match failed.class.as_str() {
            "" => failed.error.clone(),
            class => format!("class {class}: {}", failed.error),
        });
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            tracing::debug!("{}.py defines no plugin", file.stem);
            return Ok(None);
        }
        return Err(told.join("; "));
    }
    let mut failures = Vec::new();
    for failed in report.failed {
        tracing::error!("plugin {} of {}.py does not load: {}", failed.class, file.stem, failed.error);
        failures.push(Failure { name: failed.class.to_lowercase(), why: failed.error.into() });
    }
    Ok(Some(Opened { file, host, told: report.plugins, failures }))
}

impl Opened {
    /// Accepts the plugins whose ids and authentication are in order; ends the host when there is none.
    pub(super) async fn settle(
        self,
        hosting: &Arc<Hosting>,
        spec: &PluginsSpec,
    ) -> Result<(RunningFile, Vec<Failure>), String> {
        let Self { file, host, told, mut failures } = self;
        let (mut accepted, mut refused) = (Vec::<(&PluginReport, FunctionName, _)>::new(), Vec::new());
        for plugin in &told {
            match accept(plugin, &file, spec) {
                Ok((name, _)) if accepted.iter().any(|(_, other, _)| *other == name) => {
                    refused.push((plugin, refusal(plugin, "another plugin has this id")));
                }
                Ok((name, route)) => accepted.push((plugin, name, route)),
                Err(why) => refused.push((plugin, refusal(plugin, &why))),
            }
        }
        if accepted.is_empty() {
            host.end().await;
            let told: Vec<_> = refused.into_iter().map(|(_, why)| why).collect();
            return Err(told.join("; "));
        }
        for (plugin, why) in refused {
            tracing::error!("plugin file {}.py: {why}", file.stem);
            failures.push(Failure { name: plugin.id.clone(), why: why.into() });
        }
        let (line, gone) = keep(hosting, spec, file.clone(), &told, host);
        let plugins = accepted.into_iter().map(|(plugin, name, route)| {
            let tally = hosting.tallies.of(&name);
            (Arc::new(function(plugin, name, route, &file, &line, tally)), plugin.clone())
        });
        let plugins = plugins.collect();
        let incomplete = !failures.is_empty();
        Ok((
            RunningFile { stem: file.stem, plugins, parameters: file.parameters, gone, incomplete },
            failures,
        ))
    }
}
