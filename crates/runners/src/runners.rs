//! The catalogue, and the tasks that keep it.

use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arc_swap::ArcSwap;
use msp_core::clock::Clock;
use msp_core::{Catalogue, ModuleSpec};
use tokio::sync::{Mutex, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::builtin::{self, CurrentCatalogue};
use crate::discovery::{Fingerprint, fingerprint, python_files};
use crate::isolation::{Isolation, IsolationConfig, IsolationError, IsolationReport};
use crate::manifest::{Loaded, Means, assemble, look_up, python_modules, wasm_modules};
use crate::python::Workshops;
use crate::tasks::Tasks;
use crate::wasm::{Modules, Room};

/// How often the files of the search path are looked at.
const LOOK: Duration = Duration::from_secs(1);

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

impl Runners {
    /// Loads the listed modules. What does not load is logged, one line each, and skipped; files that change
    /// later are taken up within about a second.
    ///
    /// # Errors
    /// [`IsolationError`] when functions cannot be confined as asked; then none is run.
    pub async fn start(
        config: RunnersConfig,
        modules: Vec<ModuleSpec>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IsolationError> {
        let tasks = Arc::new(Tasks::on_this_runtime());
        let folders: Vec<_> = config.search_path.into_iter().map(settled).collect();
        let isolation = Arc::new(Isolation::start(config.isolation, folders.clone(), clock.clone()).await?);
        let workshops =
            Workshops::new(config.python, folders.clone(), config.python_workers, &isolation, &tasks);
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
        let runners = Self(Arc::new(Inner { current, means, folders, clock, state }));
        runners.reload(modules).await;
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

    /// Ends all runs and workers with everything they have started, and waits until they are gone. Calls
    /// under way fail, and so do later ones.
    pub async fn stop(&self) {
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
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// What the catalogue was made of.
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
        let entries = look_up(&self.folders, specs.clone(), loaded, &self.clock);
        loaded.python.load(python_modules(&entries), changed).await;
        loaded.wasm = loaded.wasm.next(wasm_modules(&entries), &self.clock).await;
        let before = self.current.load();
        self.current.store(Arc::new(assemble(entries, loaded, &self.means, &before)));
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
