//! The catalogue, and the tasks that keep it.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use msp_core::clock::Clock;
use msp_core::{Catalogue, Function, ModuleSpec, PluginsSpec};
use msp_protocol::FunctionName;
use tokio::sync::{Mutex, OnceCell, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::builtin::{self, CurrentCatalogue};
use crate::discovery::{Fingerprint, fingerprint, python_files};
use crate::isolation::{Isolation, IsolationConfig, IsolationError, IsolationReport};
use crate::manifest::{Loaded, Means, assemble, look_up, python_modules, wasm_modules};
use crate::native::Natives;
use crate::python::{Changed, Hosting, Plugins, Stopping, Workshops};
use crate::tasks::Tasks;
use crate::wasm::{Modules, Room};

/// How often the files of the search path are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long a start waits for plugins; those that take longer come later.
const START: Duration = Duration::from_secs(5);
/// How long a stop waits for plugins to end by themselves.
const FAREWELL: Duration = Duration::from_millis(1500);

/// Where modules are and what runs them.
#[derive(Debug, Clone)]
pub struct RunnersConfig {
    /// The folders modules are looked up in; the first that has one wins.
    pub search_path: Vec<PathBuf>,
    /// The Python interpreter; without `/` it is looked up in PATH.
    pub python: PathBuf,
    /// Python processes that run at once; at least one.
    pub python_workers: usize,
    /// What keeps the processes of functions to themselves.
    pub isolation: IsolationConfig,
    /// The server's version, for `msp/ping`.
    pub version: &'static str,
}

/// All runners, and the catalogue of the functions they run.
///
/// Runs go on in tasks on the runtime that [`Runners::start`] was called on, from whichever runtime a call
/// comes and whether or not its caller waits for it. All of them end with [`Runners::stop`], or when the last
/// clone is dropped.
#[derive(Debug, Clone)]
pub struct Runners(Arc<Inner>);

/// Which plugins are to be loaded anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reload {
    /// All of them, with files that have come and without those that have gone.
    All,
    /// This one, with the others of its file.
    One(FunctionName),
}

/// Plugins that were loaded anew, and are in force.
#[derive(Debug)]
#[must_use = "the ones before may still answer"]
pub struct Reloaded(Changed);

impl Reloaded {
    /// Waits until the ones before have answered all that they were asked and are gone: then nothing is answered by old
    /// code any more. Gives the files that did not load, whose plugins stay as they were.
    pub async fn settled(self) -> Vec<String> {
        for gone in self.0.retired {
            // An error means that it has gone with everything else.
            let _gone = gone.await;
        }
        self.0.failed
    }
}

/// Why plugins were not loaded anew; the log says more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// What is there now does not load, so what was there before stays.
    #[error("it does not load; what was there before stays in use")]
    Failed,
    /// There is no such plugin.
    #[error("there is no such plugin")]
    NotFound,
}

impl Runners {
    /// Loads the listed modules and the plugins. What does not load is logged, one line each, and skipped. Module
    /// files that change later are taken up within about a second, plugins when they are told to be.
    ///
    /// # Errors
    /// [`IsolationError`] when functions cannot be confined as asked; then none is run.
    pub async fn start(
        config: RunnersConfig,
        modules: Vec<ModuleSpec>,
        plugins: Option<PluginsSpec>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IsolationError> {
        let tasks = Arc::new(Tasks::on_this_runtime());
        let folders: Vec<_> = config.search_path.into_iter().map(settled).collect();
        let isolation = Arc::new(Isolation::start(config.isolation, folders.clone(), clock.clone()).await?);
        let interpreter = Arc::new(OnceCell::new());
        let stopping = Arc::new(Stopping::default());
        let hosting = Hosting {
            python: config.python.clone(),
            interpreter: interpreter.clone(),
            isolation: isolation.clone(),
            tasks: tasks.clone(),
            stopping: stopping.clone(),
        };
        let (python, workers) = (config.python, config.python_workers);
        let workshops = Workshops::new(python, folders.clone(), workers, &interpreter, &isolation, &tasks);
        let current = Arc::new(CurrentCatalogue::default());
        let means = Means {
            tasks: tasks.clone(),
            isolation,
            room: Arc::new(Room::new(tasks.clone(), clock.clone())),
            built_in: builtin::functions(&current, config.version, &clock),
        };
        let state = Mutex::new(State {
            loaded: Loaded { python: workshops, wasm: Modules::default() },
            specs: Vec::new(),
            seen: Fingerprint::default(),
            system: Vec::new(),
        });
        let inner = Inner {
            current,
            means,
            folders,
            natives: Natives::new(clock.clone()),
            clock,
            state,
            stopping,
            plugins: Mutex::new(Plugins::new(Arc::new(hosting))),
            parts: std::sync::Mutex::default(),
        };
        let runners = Self(Arc::new(inner));
        runners.reload(modules).await;
        if let Some(spec) = plugins {
            // What went wrong is in the log; what takes too long is taken up when it is there.
            let loading = async { runners.reload_plugins(spec, Reload::All).await.map(drop) };
            let _later = timeout(START, loading).await;
        }
        tasks.spawn(watch(Arc::downgrade(&runners.0)));
        Ok(runners)
    }

    /// What keeps the processes of functions to themselves.
    #[must_use]
    pub fn isolation(&self) -> IsolationReport {
        self.0.means.isolation.report()
    }

    /// The functions that exist now.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.0.current.load_full()
    }

    /// Takes up another list of modules, and changed files at once. A module that does not load never
    /// replaces a working one; modules whose files have not changed keep their state, unless another Python
    /// module has.
    pub async fn reload(&self, modules: Vec<ModuleSpec>) {
        let (done, waiting) = oneshot::channel();
        let inner = self.0.clone();
        self.0.means.tasks.spawn(async move {
            let mut state = inner.state.lock().await;
            state.specs = modules;
            inner.load(&mut state, true).await;
            let _caller_gone = done.send(());
        });
        // An error means that all has been stopped meanwhile.
        let _stopped = waiting.await;
    }

    /// Loads plugins anew.
    ///
    /// # Errors
    /// [`ReloadError`]; then nothing has changed.
    pub async fn reload_plugins(&self, spec: PluginsSpec, what: Reload) -> Result<Reloaded, ReloadError> {
        let (done, waiting) = oneshot::channel();
        let inner = self.0.clone();
        self.0.means.tasks.spawn(async move {
            let _caller_gone = done.send(inner.reload_plugins(&spec, &what).await);
        });
        // An error means that all has been stopped meanwhile.
        waiting.await.unwrap_or(Err(ReloadError::Failed))
    }

    /// Ends all runs and workers with everything they have started, and waits until they are gone. Calls
    /// under way fail, and so do later ones.
    pub async fn stop(&self) {
        // Nobody waits for calls any more: plugins end at once, and have a moment to put things away.
        let farewell = self.0.stopping.farewell();
        let _killed_below = timeout(FAREWELL, farewell).await;
        self.0.means.tasks.stop().await;
    }
}

/// The folder by a path that stays the same wherever a process runs.
fn settled(folder: PathBuf) -> PathBuf {
    folder.canonicalize().or_else(|_| std::path::absolute(&folder)).unwrap_or(folder)
}

#[derive(Debug)]
struct Inner {
    current: Arc<ArcSwap<Catalogue>>,
    means: Means,
    folders: Vec<PathBuf>,
    natives: Natives,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    stopping: Arc<Stopping>,
    plugins: Mutex<Plugins>,
    parts: std::sync::Mutex<Parts>,
}

/// What the catalogue is made of, beside what is built in.
#[derive(Debug, Default)]
struct Parts {
    modules: Vec<Arc<Function>>,
    plugins: Vec<Arc<Function>>,
}

/// What the modules of the catalogue were made of.
#[derive(Debug)]
struct State {
    specs: Vec<ModuleSpec>,
    seen: Fingerprint,
    system: Vec<Option<u64>>,
    loaded: Loaded,
}

impl Inner {
    /// Makes the catalogue anew from the files as they are.
    async fn load(&self, state: &mut State, again: bool) {
        let Ok((seen, system)) = self.look().await else { return };
        if seen == state.seen && system == state.system && !again {
            return;
        }
        let changed = !python_files(&seen).eq(python_files(&state.seen)) || system != state.system;
        (state.seen, state.system) = (seen, system);
        let State { specs, loaded, .. } = state;
        let entries = look_up(&self.folders, specs.clone(), loaded, &self.natives);
        loaded.python.load(python_modules(&entries), changed).await;
        loaded.wasm = loaded.wasm.next(wasm_modules(&entries), &self.clock).await;
        let modules = assemble(entries, loaded, &self.means, &self.current.load());
        self.publish(|parts| parts.modules = modules);
    }

    /// Changes a part and makes the catalogue of all. A plugin whose name a module has is left out.
    fn publish(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let names: BTreeSet<_> = parts.modules.iter().map(|function| &function.name).collect();
        let (hidden, plugins): (Vec<_>, Vec<_>) =
            parts.plugins.iter().partition(|plugin| names.contains(&plugin.name));
        for plugin in hidden {
            tracing::error!("plugin {} is left out: modules.ini has a function of this name", plugin.name);
        }
        let all = self.means.built_in.iter().chain(&parts.modules).chain(plugins).cloned();
        self.current.store(Arc::new(all.collect()));
    }

    async fn reload_plugins(&self, spec: &PluginsSpec, what: &Reload) -> Result<Reloaded, ReloadError> {
        let spec = PluginsSpec { folder: settled(spec.folder.clone()), ..spec.clone() };
        let mut plugins = self.plugins.lock().await;
        let changed = match what {
            Reload::All => plugins.load_all(&spec).await.map_err(|error| {
                tracing::error!("plugins stay as they are: {error}");
                ReloadError::Failed
            })?,
            Reload::One(name) => {
                let changed = plugins.load_one(name, &spec).await.ok_or(ReloadError::NotFound)?;
                // Who may call what stays is judged anew, so that is published all the same.
                let functions = plugins.functions();
                self.publish(|parts| parts.plugins = functions);
                return changed.map(Reloaded).map_err(|_| ReloadError::Failed);
            }
        };
        let functions = plugins.functions();
        self.publish(|parts| parts.plugins = functions);
        Ok(Reloaded(changed))
    }

    async fn look(&self) -> Result<(Fingerprint, Vec<Option<u64>>), tokio::task::JoinError> {
        let (folders, isolation) = (self.folders.clone(), self.means.isolation.clone());
        spawn_blocking(move || (fingerprint(&folders), isolation.system_files())).await
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.means.tasks.abort();
    }
}

/// Takes up changed files until the runners are gone.
async fn watch(inner: Weak<Inner>) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        let mut state = inner.state.lock().await;
        inner.load(&mut state, false).await;
    }
}
