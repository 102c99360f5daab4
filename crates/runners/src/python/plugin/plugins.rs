//! The files of plugins, each with what runs of it and what does not.
//!
//! Files load side by side, and each is published as soon as it has loaded. Of two plugins with one id the one whose
//! file comes first by its name is published, whichever was there before.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use msp_core::{Function, MissingFunction, Origin, PluginsSpec};
use msp_protocol::FunctionName;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::file;
use super::host::HostContext;
use super::running_file::{Failure, LoadedFile, RunningFile, load};
use super::supervisor::HostEnded;

/// Hosts that are started at the same time.
const AT_ONCE: usize = 4;
/// How long a start counts as one; who takes longer waits for something, and keeps no other from starting.
const START: Duration = Duration::from_secs(1);

/// The plugins there are, by file.
pub(crate) struct Plugins {
    context: Arc<HostContext>,
    /// What the configuration says of them now; none: there are to be none.
    spec: Mutex<Option<Arc<PluginsSpec>>>,
    files: Mutex<BTreeMap<PathBuf, FileState>>,
    starts: Semaphore,
}

/// One file.
#[derive(Default)]
struct FileState {
    /// Held while the file loads, so that it loads once at a time.
    load_lock: Arc<tokio::sync::Mutex<()>>,
    /// True while it loads for the first time.
    expected: bool,
    file: Option<RunningFile>,
    /// What of it does not load.
    failures: Vec<Failure>,
}

impl std::fmt::Debug for Plugins {
    /// Without parameters, which hold keys.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.files().keys()).finish()
    }
}

/// What a reload changed.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Hosts that end once nobody can call them any more.
    pub(crate) retired: Vec<HostEnded>,
    /// The files that did not load, or not as a whole.
    pub(crate) failed: Vec<String>,
}

impl Plugins {
    /// None yet.
    pub(crate) fn new(context: Arc<HostContext>) -> Self {
        let starts = Semaphore::new(AT_ONCE);
        Self { context, spec: Mutex::default(), files: Mutex::default(), starts }
    }

    /// Sets what holds from now on, for loads that were begun before as well.
    pub(crate) fn set_spec(&self, spec: PluginsSpec) {
        *self.spec.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(spec));
    }

    fn spec(&self) -> Option<Arc<PluginsSpec>> {
        self.spec.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn files(&self) -> MutexGuard<'_, BTreeMap<PathBuf, FileState>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is anything to load.
    pub(crate) fn is_configured(&self) -> bool {
        self.spec().is_some()
    }

    /// Notes the files that are about to load for the first time.
    pub(crate) fn announce(&self) {
        let files = self.spec().and_then(|spec| file::find(&spec.folder).ok()).unwrap_or_default();
        self.files().extend(
            files.into_iter().map(|path| (path, FileState { expected: true, ..FileState::default() })),
        );
    }

    /// The functions of all plugins, and what keeps others from existing.
    pub(crate) fn published(&self) -> (Vec<Arc<Function>>, Vec<(FunctionName, MissingFunction)>) {
        let (files, spec) = (self.files(), self.spec());
        let (mut functions, mut missing, mut taken) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (path, state) in &*files {
            let file: Arc<str> = file_name(path).into();
            let mut add_missing = |name: &str, why: Option<Arc<str>>| {
                let function = MissingFunction { source: file.clone(), origin: Origin::Plugins, why };
                missing.extend(name.parse().ok().map(|name| (name, function)));
            };
            if state.expected {
                add_missing(&likely_name(path, spec.as_deref()), None);
            }
            for failure in &state.failures {
                add_missing(&failure.name, Some(failure.why.clone()));
            }
            for function in state.file.iter().flat_map(RunningFile::functions) {
                if taken.insert(function.name.clone()) {
                    functions.push(function.clone());
                } else {
                    add_missing(&format!("{} ({file})", function.name), Some(DUPLICATE.into()));
                }
            }
        }
        (functions, missing)
    }

    /// Loads every file of the folder anew; `publish` is called whenever one has changed. A file that does not load
    /// keeps the plugins it has; one that is gone has none any more.
    ///
    /// # Errors
    /// Why the folder cannot be read; then nothing changes.
    pub(crate) async fn load_all(&self, publish: &(impl Fn() + Sync)) -> Result<Changed, String> {
        let Some(spec) = self.spec() else { return Ok(Changed::default()) };
        let files =
            file::find(&spec.folder).map_err(|error| format!("{}: {error}", spec.folder.display()))?;
        let known: Vec<_> = self.files().keys().filter(|path| !files.contains(path)).cloned().collect();
        let gone = known.iter().map(|path| async move {
            let retired = self.remove(path).await;
            publish();
            (Changed { retired, failed: Vec::new() }, path)
        });
        let gone = join_all(gone);
        let loaded =
            join_all(files.iter().map(|path| async move { (self.load(path, None, publish).await, path) }));
        let (gone, loaded) = tokio::join!(gone, loaded);
        let duplicates = self.duplicates();
        let mut all = Changed::default();
        for (changed, path) in gone.into_iter().chain(loaded) {
            all.retired.extend(changed.retired);
            let failed = changed.failed.into_iter().next();
            all.failed.extend(failed.or_else(|| duplicates.contains(path).then(|| file_name(path))));
        }
        Ok(all)
    }

    /// Loads the file anew that this plugin is of, or would be if it loaded.
    ///
    /// # Errors
    /// That it failed; then its plugins stay, for those who may call them by the configuration of now.
    pub(crate) async fn load_one(
        &self,
        name: &FunctionName,
        publish: &(impl Fn() + Sync),
    ) -> Option<Result<Changed, ()>> {
        let path = {
            let (files, spec) = (self.files(), self.spec());
            let has = |state: &FileState| state.file.as_ref().is_some_and(|file| file.has(name));
            let would = |path: &Path, state: &FileState| {
                state.failures.iter().any(|failure| failure.name == name.as_str())
                    || state.file.is_none() && likely_name(path, spec.as_deref()) == name.as_str()
            };
            let found = files.iter().find(|(_, state)| has(state));
            let found = found.or_else(|| files.iter().find(|(path, state)| would(path, state)));
            found.map(|(path, _)| path.clone())?
        };
        let changed = self.load(&path, Some(name), publish).await;
        Some(if changed.failed.is_empty() { Ok(changed) } else { Err(()) })
    }

    /// Loads one file anew, for the sake of this plugin if one is named.
    async fn load(
        &self,
        path: &Path,
        wanted: Option<&FunctionName>,
        publish: &(impl Fn() + Sync),
    ) -> Changed {
        let load_lock = self.files().entry(path.to_owned()).or_default().load_lock.clone();
        let _alone = load_lock.lock().await;
        // As late as can be, so that no older rules come after newer ones.
        let Some(spec) = self.spec() else { return Changed::default() };
        let loaded = match self.start(path, &spec).await {
            Ok(None) if wanted.is_some() => Err("it has no plugin any more".to_owned()),
            Ok(None) => Ok(None),
            Ok(Some(loaded)) => loaded.accept(&self.context, &spec).await.map(Some),
            Err(error) => Err(error),
        };
        let changed = self.put_in_force(path, &spec, wanted, loaded);
        publish();
        changed
    }

    /// Starts the host of a file when few others are being started.
    async fn start(&self, path: &Path, spec: &PluginsSpec) -> Result<Option<LoadedFile>, String> {
        let permit = self.starts.acquire().await;
        let mut loading = std::pin::pin!(load(&self.context, path, spec));
        if let Ok(loaded) = timeout(START, &mut loading).await {
            return loaded;
        }
        drop(permit);
        loading.await
    }

    /// Puts in force what came of loading a file.
    fn put_in_force(
        &self,
        path: &Path,
        spec: &PluginsSpec,
        wanted: Option<&FunctionName>,
        loaded: Result<Option<(RunningFile, Vec<Failure>)>, String>,
    ) -> Changed {
        let mut files = self.files();
        let state = files.entry(path.to_owned()).or_default();
        state.expected = false;
        let loaded = loaded.and_then(|new| match (&state.file, &new) {
            (Some(before), Some((file, _))) if wanted.is_some() => before
                .lost_in(file, wanted)
                .map_or(Ok(new), |lost| Err(format!("it has no plugin {lost} any more"))),
            _ => Ok(new),
        });
        match loaded {
            Ok(None) => {
                let retired = files.remove(path).and_then(|state| state.file);
                Changed { retired: retired.map(|file| file.ended).into_iter().collect(), failed: Vec::new() }
            }
            Ok(Some((file, failures))) => {
                // Of one plugin that was asked for by name, only the loss of what was there is a failure.
                let failed = !failures.is_empty() && wanted.is_none_or(|name| !file.has(name));
                let failed = failed.then(|| file_name(path)).into_iter().collect();
                state.failures = failures;
                let retired = state.file.replace(file).map(|file| file.ended);
                Changed { retired: retired.into_iter().collect(), failed }
            }
            Err(error) => {
                tracing::error!("plugin file {} does not load: {error}", file_name(path));
                let why: Arc<str> = error.into();
                let mut names = Vec::new();
                if let Some(file) = &mut state.file {
                    file.apply_routes(spec);
                    names = file.functions().map(|function| function.name.to_string()).collect();
                }
                let retired = if names.is_empty() { state.file.take() } else { None };
                if names.is_empty() {
                    names.push(likely_name(path, Some(spec)));
                }
                state.failures = names.into_iter().map(|name| Failure { name, why: why.clone() }).collect();
                Changed {
                    retired: retired.map(|file| file.ended).into_iter().collect(),
                    failed: vec![file_name(path)],
                }
            }
        }
    }

    /// Takes out a file that is gone, once nothing is to be done with it any more.
    async fn remove(&self, path: &Path) -> Vec<HostEnded> {
        let Some(load_lock) = self.files().get(path).map(|state| state.load_lock.clone()) else {
            return Vec::new();
        };
        let _alone = load_lock.lock().await;
        let state = self.files().remove(path);
        state.and_then(|state| state.file).map(|file| file.ended).into_iter().collect()
    }

    /// The files with plugins whose ids files before them have.
    fn duplicates(&self) -> BTreeSet<PathBuf> {
        let files = self.files();
        let (mut taken, mut duplicates) = (BTreeSet::new(), BTreeSet::new());
        for (path, state) in &*files {
            for function in state.file.iter().flat_map(RunningFile::functions) {
                if !taken.insert(function.name.clone()) {
                    let file = file_name(path);
                    tracing::error!(
                        "plugin file {file}: plugin {:?} is refused: {DUPLICATE}",
                        function.name.as_str()
                    );
                    duplicates.insert(path.clone());
                }
            }
        }
        duplicates
    }
}

const DUPLICATE: &str = "another plugin has this id";

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What the plugin of a file is most likely called, as long as nobody can ask it.
fn likely_name(path: &Path, spec: Option<&PluginsSpec>) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let given = spec.and_then(|spec| file::parameter(&file::given(&stem, spec), &["route_path"]));
    given.unwrap_or_else(|| stem.to_lowercase())
}
