//! The catalogue, and the tasks that keep it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use msp_core::clock::Clock;
use msp_core::{Catalogue, Function, MissingFunction, ModuleSpec, PluginsSpec};
use msp_protocol::FunctionName;
use tokio::sync::{oneshot, watch};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use super::{Reload, ReloadError, Reloaded};
use crate::discovery::{Fingerprint, fingerprint, python_files};
use crate::isolation::resolved;
use crate::manifest::{Assembled, Plan, SharedParts, python_modules, wasm_modules};
use crate::python::{Plugins, StopSignal};
use crate::report;
use crate::wasm::Modules;

/// How often the files of the search path are looked at.
const SCAN_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) current: Arc<ArcSwap<Catalogue>>,
    pub(super) shared: SharedParts,
    pub(super) clock: Arc<dyn Clock>,
    /// The modules that are to be.
    pub(super) specs: Mutex<Vec<ModuleSpec>>,
    pub(super) state: tokio::sync::Mutex<State>,
    pub(super) stop_signal: Arc<StopSignal>,
    pub(super) plugins: Plugins,
    pub(super) parts: Mutex<Parts>,
    /// Tells of each new catalogue, and of the end of the first load.
    pub(super) published: watch::Sender<()>,
    /// Whether everything has loaded or failed since the start.
    pub(super) settled: AtomicBool,
}

/// What the catalogue is made of, beside what is built in.
#[derive(Debug, Default)]
pub(super) struct Parts {
    plan: Arc<Plan>,
    wasm: Arc<Modules>,
    modules: Assembled,
    plugins: Vec<Arc<Function>>,
    missing_plugins: Vec<(FunctionName, MissingFunction)>,
    /// Plugins whose names modules have.
    hidden: BTreeSet<FunctionName>,
}

/// What the modules of the catalogue were made of.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct State {
    files: Fingerprint,
    system: Vec<Option<(u64, u64)>>,
    /// How often a path of the settings has come to lead elsewhere.
    path_changes: u64,
}

impl Inner {
    /// Starts the first load, and what follows the files.
    pub(super) fn begin(self: &Arc<Self>, plugins: Option<PluginsSpec>) {
        // Each is known by its name from here on, so that a call for one that is not there yet waits.
        let lines =
            self.specs.lock().unwrap_or_else(PoisonError::into_inner).iter().map(report::expected).collect();
        if let Some(spec) = plugins {
            self.plugins.set_spec(PluginsSpec { folder: resolved(&spec.folder), ..spec });
            self.plugins.announce();
        }
        self.publish(|parts| parts.modules = Assembled { functions: Vec::new(), missing: lines });
        self.publish_plugins();
        let inner = self.clone();
        self.shared.tasks.spawn(async move {
            let watching = inner.clone();
            let modules = async {
                inner.load_modules(true).await;
            };
            let plugins = async {
                if inner.plugins.is_configured() {
                    // What went wrong is in the log.
                    let _some_failed = inner.reload_plugins(&Reload::All).await;
                }
            };
            inner.shared.tasks.spawn(watch(watching));
            tokio::join!(modules, plugins);
            inner.settled.store(true, Ordering::Release);
            inner.published.send_replace(());
        });
    }

    /// Takes up the files as they are, and waits until what they bring has loaded. Nothing is done when nothing has
    /// changed, unless it is to be done again.
    pub(super) async fn load_modules(self: &Arc<Self>, again: bool) {
        let loading = {
            let mut state = self.state.lock().await;
            self.apply_changes(&mut state, again).await
        };
        for pool in loading {
            // An error means that all has been stopped meanwhile.
            let _stopped = pool.await;
        }
    }

    /// Publishes what needs no time to load, and starts to load the rest.
    async fn apply_changes(self: &Arc<Self>, state: &mut State, again: bool) -> Vec<oneshot::Receiver<()>> {
        let Ok(now) = self.scan(again).await else { return Vec::new() };
        let same = now == *state && !again;
        let (before, wasm) = {
            let parts = self.parts();
            (parts.plan.clone(), parts.wasm.clone())
        };
        // What was lost may be found for a reason that no file of the search path shows.
        if same && before.missing.is_empty() {
            return Vec::new();
        }
        let specs = self.specs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let plan = self.shared.look_up(&specs, &wasm);
        if same && plan.missing == before.missing {
            return Vec::new();
        }
        for (spec, why) in plan.missing.iter().filter(|missing| !before.missing.contains(missing)) {
            tracing::warn!("function {} is skipped: {why}", spec.function);
        }
        let same_python = python_files(&now.files).eq(python_files(&state.files));
        let changed = !same_python || (&now.system, now.path_changes) != (&state.system, state.path_changes);
        *state = now;
        let pending = self.shared.python.set_modules(python_modules(&plan.entries), changed);
        let listed = wasm_modules(&plan.entries);
        self.publish_modules(|parts| parts.plan = Arc::new(plan));
        let loading = pending.into_iter().map(|load| {
            let (done, loaded) = oneshot::channel();
            let inner = self.clone();
            self.shared.tasks.spawn(async move {
                load.run().await;
                inner.publish_modules(|_| ());
                let _nobody_waits = done.send(());
            });
            loaded
        });
        let loading = loading.collect();
        let compiled = wasm.next(listed, &self.clock).await;
        self.publish_modules(|parts| parts.wasm = Arc::new(compiled));
        loading
    }

    fn parts(&self) -> std::sync::MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn publish_modules(&self, change: impl FnOnce(&mut Parts)) {
        self.publish(|parts| {
            change(parts);
            parts.modules = self.shared.assemble(&parts.plan, &parts.wasm, &self.current.load());
        });
    }

    fn publish_plugins(&self) {
        self.publish(|parts| (parts.plugins, parts.missing_plugins) = self.plugins.published());
    }

    /// Changes a part and makes the catalogue of all. A plugin whose name a module has is left out.
    fn publish(&self, change: impl FnOnce(&mut Parts)) {
        let mut parts = self.parts();
        change(&mut parts);
        let listed = self.specs.lock().unwrap_or_else(PoisonError::into_inner);
        let names: BTreeSet<_> = listed.iter().map(|spec| &spec.function).collect();
        let (hidden, plugins): (Vec<_>, Vec<_>) =
            parts.plugins.iter().cloned().partition(|plugin| names.contains(&plugin.name));
        drop(listed);
        let hidden: BTreeSet<_> = hidden.into_iter().map(|plugin| plugin.name.clone()).collect();
        for plugin in hidden.difference(&parts.hidden) {
            tracing::error!("plugin {plugin} is left out: modules.ini has a function of this name");
        }
        let functions = self.shared.built_in.iter().chain(&parts.modules.functions).chain(&plugins).cloned();
        // What modules.ini says of a name goes before what a file of plugins may be called.
        let missing = parts.missing_plugins.iter().chain(&parts.modules.missing).cloned();
        self.current.store(Arc::new(Catalogue::new(functions, missing)));
        parts.hidden = hidden;
        drop(parts);
        self.published.send_replace(());
    }

    pub(super) async fn reload_plugins(&self, what: &Reload) -> Result<Reloaded, ReloadError> {
        let isolation = self.shared.isolation.clone();
        // An error means that all is being stopped.
        let _stopping = spawn_blocking(move || isolation.follow(true)).await;
        let publish = || self.publish_plugins();
        match what {
            Reload::All => self.plugins.load_all(&publish).await.map(Reloaded).map_err(|error| {
                tracing::error!("plugins stay as they are: {error}");
                ReloadError::Failed
            }),
            Reload::One(name) => {
                let changed = self.plugins.load_one(name, &publish).await.ok_or(ReloadError::NotFound)?;
                changed.map(Reloaded).map_err(|_| ReloadError::Failed)
            }
        }
    }

    async fn scan(&self, again: bool) -> Result<State, tokio::task::JoinError> {
        let isolation = self.shared.isolation.clone();
        spawn_blocking(move || {
            let path_changes = isolation.follow(again);
            State { files: fingerprint(&isolation.folders()), system: isolation.system_files(), path_changes }
        })
        .await
    }
}

/// Takes up changed files.
async fn watch(inner: Arc<Inner>) {
    let mut scan = interval(SCAN_INTERVAL);
    scan.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // Its first tick comes at once.
    scan.tick().await;
    loop {
        scan.tick().await;
        let mut state = inner.state.lock().await;
        drop(inner.apply_changes(&mut state, false).await);
    }
}
