//! One file of plugins that runs: what its host has reported of it, and who may call it.

use std::path::Path;
use std::sync::Arc;

use msp_core::{Function, PluginsSpec};
use msp_protocol::FunctionName;
use serde_json::{Map, Value};

use super::accept::{accept, refusal, route};
use super::file::{self, PluginFile};
use super::host::{HostContext, PluginReport, start};
use super::runner::function;
use super::supervisor::{HostEnded, supervise};
use crate::python::process::Process;

/// One file that runs.
pub(super) struct RunningFile {
    stem: String,
    /// Its plugins, each as its host has reported it.
    plugins: Vec<(Arc<Function>, PluginReport)>,
    /// The parameters it was loaded with.
    parameters: Map<String, Value>,
    pub(super) ended: HostEnded,
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
    pub(super) fn apply_routes(&mut self, spec: &PluginsSpec) {
        let given = file::given(&self.stem, spec);
        // What a file of parameters said is not read again: the old word counts where there is no new one.
        let kept = self
            .parameters
            .clone()
            .into_iter()
            .filter(|(name, _)| self.parameters.contains_key("json") && !given.contains_key(name));
        let parameters: Map<_, _> = kept.chain(given.clone()).collect();
        self.plugins.retain_mut(|(function, report)| match route(report, &parameters, spec) {
            Ok(route) => {
                if function.route != Some(route) {
                    *function = Arc::new(Function { route: Some(route), ..(**function).clone() });
                }
                true
            }
            Err(why) => {
                tracing::error!("plugin file {}.py: {}", self.stem, refusal(report, &why));
                false
            }
        });
    }
}

/// A host that has loaded its file, whose plugins are not accepted yet.
pub(super) struct LoadedFile {
    file: PluginFile,
    host: Process,
    reports: Vec<PluginReport>,
    /// The classes that did not load.
    failures: Vec<Failure>,
}

/// Starts the host of a file; none when no plugin is defined in it.
pub(super) async fn load(
    context: &HostContext,
    path: &Path,
    spec: &PluginsSpec,
) -> Result<Option<LoadedFile>, String> {
    let (path, given) = (path.to_owned(), spec.clone());
    let reading = tokio::task::spawn_blocking(move || PluginFile::read(&path, &given));
    let file = reading.await.map_err(|error| error.to_string())??;
    let (host, report) = start(context, &file, spec).await?;
    if report.plugins.is_empty() {
        host.end().await;
        let failures = report.failed.iter().map(|failed| match failed.class.as_str() {
            "" => failed.error.clone(),
            class => format!("class {class}: {}", failed.error),
        });
        let failures: Vec<_> = failures.collect();
        if failures.is_empty() {
            tracing::debug!("{}.py defines no plugin", file.stem);
            return Ok(None);
        }
        return Err(failures.join("; "));
    }
    let mut failures = Vec::new();
    for failed in report.failed {
        tracing::error!("plugin {} of {}.py does not load: {}", failed.class, file.stem, failed.error);
        failures.push(Failure { name: failed.class.to_lowercase(), why: failed.error.into() });
    }
    Ok(Some(LoadedFile { file, host, reports: report.plugins, failures }))
}

impl LoadedFile {
    /// Accepts the plugins whose ids and authentication are in order; ends the host when there is none.
    pub(super) async fn accept(
        self,
        context: &Arc<HostContext>,
        spec: &PluginsSpec,
    ) -> Result<(RunningFile, Vec<Failure>), String> {
        let Self { file, host, reports, mut failures } = self;
        let (mut accepted, mut refused) = (Vec::<(&PluginReport, FunctionName, _)>::new(), Vec::new());
        for plugin in &reports {
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
            let refused: Vec<_> = refused.into_iter().map(|(_, why)| why).collect();
            return Err(refused.join("; "));
        }
        for (plugin, why) in refused {
            tracing::error!("plugin file {}.py: {why}", file.stem);
            failures.push(Failure { name: plugin.id.clone(), why: why.into() });
        }
        let (sender, ended) = supervise(context, spec, file.clone(), &reports, host);
        let plugins = accepted.into_iter().map(|(plugin, name, route)| {
            let tally = context.tallies.of(&name);
            (Arc::new(function(plugin, name, route, &file, &sender, tally)), plugin.clone())
        });
        let plugins = plugins.collect();
        let incomplete = !failures.is_empty();
        Ok((
            RunningFile { stem: file.stem, plugins, parameters: file.parameters, ended, incomplete },
            failures,
        ))
    }
}
