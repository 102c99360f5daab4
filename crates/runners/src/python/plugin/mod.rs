//! Plugins: Python files with classes that answer requests, each file in a long-lived process of its own.
//!
//! A *host* is the process of one file. It constructs the file's plugins on one asyncio loop, where their state and
//! their background tasks live until they are retired. A reload starts a second host; when its plugins are there, the
//! catalogue is replaced, and the first one ends once it has answered all that it was asked.

mod file;
mod host;
mod keeper;
mod serving;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt as _;
use msp_core::{
    BoxFuture, Function, Job, Origin, PluginsSpec, Route, RunError, Runner, RunnerKind, WebAnswer, WebRequest,
};
use msp_protocol::{Digest, FunctionName};
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, oneshot};

use self::file::{PluginFile, parameter};
pub(crate) use self::host::Hosting;
use self::host::{Order, Told, start};
pub(crate) use self::keeper::Stopping;
use self::keeper::{Gone, Line, keep};
use self::serving::Call;
use self::wire::{Ask, value};
use crate::python::worker::Worker;
use crate::tasks::stopped;

/// Hosts that load at the same time.
const AT_ONCE: usize = 4;
/// The longest description, in characters.
const DESCRIPTION: usize = 1000;

/// The plugins there are, by file.
pub(crate) struct Plugins {
    hosting: Arc<Hosting>,
    houses: BTreeMap<PathBuf, House>,
}

/// One file that runs.
struct House {
    stem: String,
    /// Its plugins, each as its host has told of it.
    plugins: Vec<(Arc<Function>, Told)>,
    /// The parameters it was loaded with.
    parameters: Map<String, Value>,
    gone: Gone,
    /// Whether some of its classes did not load, or were refused.
    incomplete: bool,
}

impl House {
    fn has(&self, name: &FunctionName) -> bool {
        self.plugins.iter().any(|(function, _)| function.name == *name)
    }

    /// Stays although its file does not load any more; who may call it is what the configuration says now. A plugin for
    /// which it says nothing sensible is left out, and so is one whose id another file has taken.
    fn judge_anew(&mut self, spec: &PluginsSpec, taken: &BTreeSet<FunctionName>) {
        let given = file::given(&self.stem, spec);
        // What a file of parameters said is not read again: the old word counts where there is no new one.
        let told_before = self
            .parameters
            .clone()
            .into_iter()
            .filter(|(name, _)| self.parameters.contains_key("json") && !given.contains_key(name));
        let parameters: Map<_, _> = told_before.chain(given.clone()).collect();
        self.plugins.retain_mut(|(function, told)| match route(told, &parameters, spec) {
            Ok(_) if taken.contains(&function.name) => false,
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

impl std::fmt::Debug for Plugins {
    /// Without parameters, which hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.houses.keys()).finish()
    }
}

/// What a reload changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Hosts that end once nobody can call them any more.
    pub(crate) retired: Vec<Gone>,
    /// The files that did not load; what they were before stays.
    pub(crate) failed: Vec<String>,
}

impl Plugins {
    /// None yet.
    pub(crate) const fn new(hosting: Arc<Hosting>) -> Self {
        Self { hosting, houses: BTreeMap::new() }
    }

    /// The functions of all plugins.
    pub(crate) fn functions(&self) -> Vec<Arc<Function>> {
        let plugins = self.houses.values().flat_map(|house| &house.plugins);
        plugins.map(|(function, _)| function.clone()).collect()
    }

    /// Loads every file of the folder anew. A file that does not load keeps the plugins it has; one that is gone has
    /// none any more.
    ///
    /// # Errors
    /// Why the folder cannot be read; then nothing changes.
    pub(crate) async fn load_all(&mut self, spec: &PluginsSpec) -> Result<Changed, String> {
        let files =
            file::find(&spec.folder).map_err(|error| format!("{}: {error}", spec.folder.display()))?;
        let hosting = &self.hosting;
        let loading = files.into_iter().map(|path| async move { (open(hosting, &path, spec).await, path) });
        let mut loaded = futures_util::stream::iter(loading).buffered(AT_ONCE);
        let (mut before, mut changed) = (std::mem::take(&mut self.houses), Changed::default());
        while let Some((opened, path)) = loaded.next().await {
            let taken = ids(self.houses.values());
            let opened = match opened {
                Ok(Some(opened)) => opened.settle(hosting, spec, &taken).await,
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match opened {
                Ok(house) => {
                    if house.incomplete {
                        changed.failed.push(file_name(&path));
                    }
                    self.houses.insert(path, house);
                }
                Err(error) => {
                    changed.failed.push(told_of(&path, &error));
                    if let Some(mut house) = before.remove(&path) {
                        house.judge_anew(spec, &taken);
                        match house.plugins.is_empty() {
                            true => changed.retired.push(house.gone),
                            false => drop(self.houses.insert(path, house)),
                        }
                    }
                }
            }
        }
        changed.retired.extend(before.into_values().map(|house| house.gone));
        Ok(changed)
    }

    /// Loads the file anew that this plugin is of.
    ///
    /// # Errors
    /// Why that failed; then its plugins stay, for those who may call them by the configuration of now.
    pub(crate) async fn load_one(
        &mut self,
        name: &FunctionName,
        spec: &PluginsSpec,
    ) -> Option<Result<Changed, String>> {
        let path = self.houses.iter().find(|(_, house)| house.has(name)).map(|(path, _)| path.clone())?;
        let others = self.houses.iter().filter(|(other, _)| **other != path).map(|(_, house)| house);
        let taken = ids(others);
        let loaded = async {
            let opened = open(&self.hosting, &path, spec).await?.ok_or("it has no plugin any more")?;
            let house = opened.settle(&self.hosting, spec, &taken).await?;
            let before = self.houses.get(&path).map_or(&[][..], |house| &house.plugins);
            // One that was taken out of the file is no loss, unless it is the one that was asked for.
            let lost = |function: &Function| {
                !house.has(&function.name) && (house.incomplete || function.name == *name)
            };
            match before.iter().find(|(function, _)| lost(function)) {
                Some((lost, _)) => Err(format!("it has no plugin {} any more", lost.name)),
                None => Ok(house),
            }
        };
        Some(match loaded.await {
            Ok(house) => {
                let retired = self.houses.insert(path, house).map(|house| house.gone);
                Ok(Changed { retired: retired.into_iter().collect(), failed: Vec::new() })
            }
            Err(error) => {
                if let Some(house) = self.houses.get_mut(&path) {
                    house.judge_anew(spec, &taken);
                }
                Err(told_of(&path, &error))
            }
        })
    }
}

/// Logs what is wrong with a file, and gives its name.
fn told_of(path: &Path, error: &str) -> String {
    let name = file_name(path);
    tracing::error!("plugin file {name} does not load: {error}");
    name
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn ids<'a>(houses: impl Iterator<Item = &'a House>) -> BTreeSet<FunctionName> {
    houses.flat_map(|house| &house.plugins).map(|(function, _)| function.name.clone()).collect()
}

/// A host that has loaded its file, whose plugins are not accepted yet.
struct Opened {
    file: PluginFile,
    host: Worker,
    told: Vec<Told>,
    /// Whether some classes of the file did not load.
    incomplete: bool,
}

/// Starts the host of a file; none when no plugin is defined in it.
async fn open(hosting: &Hosting, path: &Path, spec: &PluginsSpec) -> Result<Option<Opened>, String> {
    let (path, given) = (path.to_owned(), spec.clone());
    let reading = tokio::task::spawn_blocking(move || PluginFile::read(&path, &given));
    let file = reading.await.map_err(|error| error.to_string())??;
    let (host, report) = start(hosting, &file, &Order::new(&file, spec), &spec.folder).await?;
    for failed in &report.failed {
        if !failed.class.is_empty() {
            tracing::error!("plugin {} of {}.py does not load: {}", failed.class, file.stem, failed.error);
        }
    }
    if !report.plugins.is_empty() {
        let incomplete = !report.failed.is_empty();
        return Ok(Some(Opened { file, host, told: report.plugins, incomplete }));
    }
    host.end().await;
    match report.failed.into_iter().next() {
        Some(failed) => Err(failed.error),
        None => {
            tracing::debug!("{}.py defines no plugin", file.stem);
            Ok(None)
        }
    }
}

impl Opened {
    /// Accepts the plugins whose ids and authentication are in order; ends the host when there is none.
    async fn settle(
        self,
        hosting: &Arc<Hosting>,
        spec: &PluginsSpec,
        taken: &BTreeSet<FunctionName>,
    ) -> Result<House, String> {
        let Self { file, host, told, mut incomplete } = self;
        let (mut accepted, mut refused) = (Vec::new(), Vec::new());
        for plugin in &told {
            let own = |name: &FunctionName| {
                accepted.iter().any(|(_, other, _): &(_, FunctionName, _)| other == name)
            };
            match accept(plugin, &file, spec) {
                Ok((name, _)) if taken.contains(&name) || own(&name) => {
                    refused.push(refusal(plugin, "another plugin has this id"));
                }
                Ok((name, route)) => accepted.push((plugin, name, route)),
                Err(why) => refused.push(refusal(plugin, &why)),
            }
        }
        if accepted.is_empty() {
            host.end().await;
            return Err(refused.join("; "));
        }
        incomplete |= !refused.is_empty();
        for why in refused {
            tracing::error!("plugin file {}.py: {why}", file.stem);
        }
        let (line, gone) = keep(hosting, spec, file.clone(), &told, host);
        let plugins = accepted.into_iter().map(|(plugin, name, route)| {
            (Arc::new(function(plugin, name, route, &file, &line)), plugin.clone())
        });
        let plugins = plugins.collect();
        Ok(House { stem: file.stem, plugins, parameters: file.parameters, gone, incomplete })
    }
}

fn refusal(plugin: &Told, why: &str) -> String {
    format!("plugin {:?} (class {}) is refused: {why}", plugin.id, plugin.class)
}

/// The name and the route of a plugin.
fn accept(plugin: &Told, file: &PluginFile, spec: &PluginsSpec) -> Result<(FunctionName, Route), String> {
    let name: FunctionName =
        plugin.id.parse().map_err(|_| "an id has 1 to 128 bytes and no control character".to_owned())?;
    if plugin.id.contains(['/', '*', '\\']) || matches!(plugin.id.as_str(), "." | "..") {
        return Err("an id holds no '/', '\\' and '*', and is not made of dots".to_owned());
    }
    if spec.reserved.contains(&plugin.id) {
        return Err(format!("the path /{} is taken", plugin.id));
    }
    Ok((name, route(plugin, &file.parameters, spec)?))
}

/// Who may call it. What the operator has written counts before what the plugin says of itself.
fn route(plugin: &Told, parameters: &Map<String, Value>, spec: &PluginsSpec) -> Result<Route, String> {
    let kind = parameter(parameters, &["auth_type", "auth"]).or_else(|| plugin.auth_type.clone());
    let key = parameter(parameters, &["apikey"]).filter(|key| !key.is_empty());
    let own = key.map(|key| Digest::of(key.as_bytes()));
    match kind.map(|kind| kind.to_lowercase()).as_deref() {
        None if own.is_some() => Err("it has an apikey, but no auth_type=plugin".to_owned()),
        None => Ok(Route::Open),
        Some("global") if spec.has_key => Ok(Route::Key),
        Some("global") => Err("auth_type=global, but there is no [auth] apikey".to_owned()),
        Some("plugin") => {
            let key = own.or(plugin.own_key);
            key.map(Route::Own)
                .ok_or_else(|| "auth_type=plugin, but its parameters have no apikey".to_owned())
        }
        Some("named") => Ok(Route::Named),
        Some(other) => Err(format!("auth_type is global, plugin or named, and not {other:?}")),
    }
}

fn function(plugin: &Told, name: FunctionName, route: Route, file: &PluginFile, line: &Line) -> Function {
    Function {
        succeeded: msp_core::successes(&name),
        name,
        access: file.access,
        classic_write: false,
        description: plugin.description.chars().take(DESCRIPTION).collect(),
        arguments: plugin.arguments.clone(),
        route: Some(route),
        origin: Origin::Plugins,
        kind: RunnerKind::Python,
        limits: file.limits,
        runner: Arc::new(PluginRunner { plugin: plugin.index, line: line.clone() }),
        slots: Arc::new(Semaphore::new(file.limits.max_concurrent)),
    }
}

/// One plugin of a file.
#[derive(Debug)]
struct PluginRunner {
    plugin: usize,
    line: Line,
}

impl PluginRunner {
    async fn ask(
        &self,
        mut job: Job,
        subpath: Option<String>,
        request: Option<WebRequest>,
    ) -> Result<WebAnswer, RunError> {
        let values = values(job.args.take())?;
        let ask = Ask {
            plugin: self.plugin,
            max_output: job.limits.max_output,
            values,
            request,
            client_ip: job.caller.address.to_string(),
            subpath,
        };
        let (answer, outcome) = oneshot::channel();
        self.line.send(Call { ask, job, answer }).map_err(|_| stopped())?;
        outcome.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Runner for PluginRunner {
    fn run(&self, mut job: Job) -> BoxFuture<'_, Result<Value, RunError>> {
        Box::pin(async move {
            // Without a path, what would lie behind the name in it is an argument.
            let subpath =
                job.args.as_mut().and_then(Value::as_object_mut).and_then(|args| args.remove("subpath"));
            let subpath = subpath.and_then(|subpath| subpath.as_str().map(str::to_owned));
            self.ask(job, subpath, None).await.and_then(value)
        })
    }

    fn answer(&self, job: Job, mut request: WebRequest) -> BoxFuture<'_, Result<WebAnswer, RunError>> {
        let subpath = request.subpath.take();
        Box::pin(self.ask(job, subpath, Some(request)))
    }
}

fn values(args: Option<Value>) -> Result<Map<String, Value>, RunError> {
    match args {
        None => Ok(Map::new()),
        Some(Value::Object(values)) => Ok(values),
        Some(_) => Err(RunError::BadArguments("the arguments must be a JSON object".to_owned())),
    }
}
