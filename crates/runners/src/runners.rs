//! All runners: what the server starts, asks, reloads and stops.

mod inner;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use msp_core::clock::Clock;
use msp_core::control::FunctionRow;
use msp_core::{Catalogue, Functions, ModuleSpec, PluginsSpec, Soon};
use msp_protocol::FunctionName;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use self::inner::Inner;
use crate::builtin::{self, CurrentCatalogue};
use crate::children;
use crate::isolation::{Isolation, IsolationConfig, IsolationError, IsolationReport, resolved};
use crate::manifest::SharedParts;
use crate::native::Natives;
use crate::python::{Changed, HostContext, Plugins, Python, StopSignal, WorkerPools};
use crate::report;
use crate::tallies::Tallies;
use crate::tasks::Tasks;
use crate::wasm::WasmContext;

/// How long a call waits for a function that loads for the first time.
const FIRST_LOAD_WAIT: Duration = Duration::from_secs(5);
/// How long a stop waits for plugins to end by themselves.
const PLUGIN_SHUTDOWN: Duration = Duration::from_millis(1500);

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
pub struct Runners(Arc<Handle>);

#[derive(Debug)]
struct Handle(Arc<Inner>);

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
    /// Begins to load the listed modules and the plugins, and serves each as soon as it has loaded. What does not load
    /// is logged, one line each, and stands in the catalogue as a missing function. Module files that change later are
    /// taken up within about a second, plugins when they are told to be.
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
        let isolation = Isolation::start(config.isolation, config.search_path, clock.clone()).await?;
        let (isolation, python) = (Arc::new(isolation), Arc::new(Python::new(config.python)));
        let (stop_signal, tallies) = (Arc::new(StopSignal::default()), Arc::new(Tallies::default()));
        let host_context = HostContext {
            python: python.clone(),
            isolation: isolation.clone(),
            tasks: tasks.clone(),
            stop_signal: stop_signal.clone(),
            tallies: tallies.clone(),
        };
        let python = WorkerPools::new(&python, config.python_workers, &isolation, &tasks);
        let current = Arc::new(CurrentCatalogue::default());
        let shared = SharedParts {
            tasks: tasks.clone(),
            isolation,
            wasm_context: Arc::new(WasmContext::new(tasks.clone(), clock.clone())),
            natives: Natives::new(clock.clone()),
            python,
            built_in: builtin::functions(&current, config.version, &clock),
            tallies,
        };
        if children::adopts() {
            tasks.spawn(children::reap_adopted());
        }
        let inner = Arc::new(Inner {
            current,
            shared,
            clock,
            specs: Mutex::new(modules),
            state: tokio::sync::Mutex::default(),
            stop_signal,
            plugins: Plugins::new(Arc::new(host_context)),
            parts: Mutex::default(),
            published: watch::Sender::new(()),
            settled: AtomicBool::new(false),
        });
        inner.begin(plugins);
        Ok(Self(Arc::new(Handle(inner))))
    }

    /// What keeps the processes of functions to themselves.
    #[must_use]
    pub fn isolation(&self) -> IsolationReport {
        self.inner().shared.isolation.report()
    }

    /// The functions that exist now.
    #[must_use]
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.inner().current.load_full()
    }

    /// All functions, those that do not load among them, in the order of their names.
    #[must_use]
    pub fn report(&self) -> Vec<FunctionRow> {
        report::rows(&self.catalogue())
    }

    /// What has neither loaded nor failed since the start, one line each: the server is not ready as long as there is
    /// anything.
    #[must_use]
    pub fn loading(&self) -> Vec<String> {
        if self.inner().settled.load(Ordering::Acquire) {
            return Vec::new();
        }
        let catalogue = self.catalogue();
        let names: Vec<_> = report::loading(&catalogue).collect();
        // Between the last of them and the end there is a moment.
        if names.is_empty() { vec!["functions are still loading".to_owned()] } else { names }
    }

    /// Waits until everything has loaded or failed for the first time.
    pub async fn loaded(&self) {
        let inner = self.inner();
        let mut published = inner.published.subscribe();
        // An error means that all is gone.
        let _gone = published.wait_for(|()| inner.settled.load(Ordering::Acquire)).await;
    }

    /// Takes up another list of modules, and changed files at once; what comes of it waits until they have loaded. A
    /// module that does not load never replaces a working one; modules whose files have not changed keep their state,
    /// unless another Python module has.
    pub fn reload(&self, modules: Vec<ModuleSpec>) -> impl Future<Output = ()> + Send + use<> {
        let inner = self.inner().clone();
        *inner.specs.lock().unwrap_or_else(PoisonError::into_inner) = modules;
        let (done, waiting) = oneshot::channel();
        self.inner().shared.tasks.spawn(async move {
            inner.load_modules(true).await;
            let _caller_gone = done.send(());
        });
        // An error means that all has been stopped meanwhile.
        async move { drop(waiting.await) }
    }

    /// Loads plugins anew, by these rules from now on, whether or not what comes of it is awaited. Files load side by
    /// side, and what was ordered earlier for the same file goes first.
    ///
    /// # Errors
    /// [`ReloadError`]; then nothing has changed.
    pub fn reload_plugins(
        &self,
        spec: PluginsSpec,
        what: Reload,
    ) -> impl Future<Output = Result<Reloaded, ReloadError>> + Send + use<> {
        let inner = self.inner().clone();
        inner.plugins.set_spec(PluginsSpec { folder: resolved(&spec.folder), ..spec });
        let (done, waiting) = oneshot::channel();
        self.inner().shared.tasks.spawn(async move {
            let _caller_gone = done.send(inner.reload_plugins(&what).await);
        });
        // An error means that all has been stopped meanwhile.
        async move { waiting.await.unwrap_or(Err(ReloadError::Failed)) }
    }

    /// Ends all runs and workers with everything they have started, and waits until they are gone. Calls
    /// under way fail, and so do later ones.
    pub async fn stop(&self) {
        // Nobody waits for calls any more: plugins end at once, and have a moment to put things away.
        let shutdown = self.inner().stop_signal.stop_all();
        let _killed_below = timeout(PLUGIN_SHUTDOWN, shutdown).await;
        self.inner().shared.tasks.stop().await;
    }

    fn inner(&self) -> &Arc<Inner> {
        &self.0.0
    }
}

impl Functions for Runners {
    fn catalogue(&self) -> Arc<Catalogue> {
        Self::catalogue(self)
    }

    fn catalogue_for<'a>(&'a self, name: &'a FunctionName) -> Soon<'a, Arc<Catalogue>> {
        let catalogue = self.catalogue();
        if !catalogue.may_come(name) {
            return Soon::now(catalogue);
        }
        Soon::later(async move {
            let mut published = self.inner().published.subscribe();
            let waiting = published.wait_for(|()| !self.catalogue().may_come(name));
            let _patience_or_end = timeout(FIRST_LOAD_WAIT, waiting).await;
            self.catalogue()
        })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.shared.tasks.abort();
    }
}
