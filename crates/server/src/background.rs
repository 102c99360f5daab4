//! What goes on beside the requests: following the registry and the files, forgetting, writing behind.

use std::sync::Arc;
use std::time::Duration;

use msp_core::{Guard, Registry, Stamp};
use msp_runners::{Reload, ReloadError};
use msp_settings::{Settings, Sources};
use tokio::time::{MissedTickBehavior, interval};

use crate::directory::Directory;
use crate::doors::plugin::exposed;
use crate::startup;
use crate::state::State;

/// How often the registry is asked for changes and the guard does what is due.
const BEAT: Duration = Duration::from_millis(500);
/// Beats between two looks at the files.
const FILES_EVERY: u64 = 2;
/// Why a reload is tried again that failed; the same failure is not told again.
const RETRIED: &str = "what was wrong may be right now";
/// Beats between two writes of the days of use.
const USES_EVERY: u64 = 60;

/// Runs until dropped.
pub(crate) async fn run(state: Arc<State>, mut files: Files) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for beat in 0_u64.. {
        beats.tick().await;
        state.guard.tick().await;
        follow_registry(&state).await;
        if beat % FILES_EVERY == 0 {
            // A reload under way may take long; the next tick looks again.
            if let Ok(_alone) = state.reloading.try_lock() {
                let now = Files::now(&state.settings.load(), &state.sources);
                if now != files {
                    files = now;
                    let _stays_as_it_was = reload(&state, "a file has changed").await;
                } else {
                    retry(&state).await;
                }
            }
            state.refusals.tick();
        }
        if beat % USES_EVERY == USES_EVERY - 1 {
            write_uses(&state).await;
            state.rates.tick();
        }
    }
}

/// Takes up what another process changed in the registry.
pub(crate) async fn follow_registry(state: &State) {
    let _alone = state.following.lock().await;
    let result = async {
        if state.registry.generation().await? != state.directory.load().generation {
            let snapshot = state.registry.snapshot().await?;
            let before = state.directory.load_full();
            let directory = Directory::of(snapshot, &before);
            tracing::info!(clients = directory.len(), generation = directory.generation, "registry changed");
            state.directory.store(Arc::new(directory));
            state.search.warm();
        }
        Ok::<_, msp_core::RegistryError>(())
    };
    let problem = result.await.err().map(|error| error.to_string());
    if **state.registry_problem.load() != problem {
        match &problem {
            Some(problem) => {
                tracing::error!("the registry cannot be read; going on with what is known: {problem}")
            }
            None => tracing::info!("the registry can be read again"),
        }
        state.registry_problem.store(Arc::new(problem));
    }
}

/// Writes the days of use; keeps them when that fails.
pub(crate) async fn write_uses(state: &State) {
    let uses = state.uses.take();
    if uses.is_empty() {
        return;
    }
    if let Err(error) = state.registry.note_uses(uses.clone()).await {
        tracing::warn!("days of use not written, tried again later: {error}");
        state.uses.give_back(uses);
    }
}

/// Reads configuration and modules again, and loads all plugins anew (SIGHUP, SIGUSR1).
pub(crate) async fn reload_all(state: &State) {
    // What is wrong is in the log, and stays as it was.
    let _some_stay = reload_plugins(state, "asked to", Reload::All).await;
}

/// Why plugins were not loaded anew.
#[derive(Debug)]
pub(crate) enum NotReloaded {
    /// The configuration is faulty, for this reason.
    Settings(String),
    /// The plugins are.
    Plugins(ReloadError),
}

/// Reads configuration and modules again and loads plugins anew; done when nothing old answers any more. Gives the files
/// that did not load.
///
/// # Errors
/// [`NotReloaded`]; then the plugins are as they were.
pub(crate) async fn reload_plugins(
    state: &State,
    why: &str,
    what: Reload,
) -> Result<Vec<String>, NotReloaded> {
    // What loads is waited for without the lock: another file must not wait for it.
    let (modules, plugins) = {
        let _alone = state.reloading.lock().await;
        let (settings, modules) = reload(state, why).await.map_err(NotReloaded::Settings)?;
        let door = settings.plugin.as_ref();
        (modules, door.map(|door| state.runners.reload_plugins(door.spec.clone(), what)))
    };
    modules.await;
    let plugins = plugins.ok_or(NotReloaded::Plugins(ReloadError::NotFound))?;
    Ok(plugins.await.map_err(NotReloaded::Plugins)?.settled().await)
}

/// Reads again what could not be read; what makes it readable need not show in its stamp. For who holds `reloading`.
async fn retry(state: &State) {
    if state.not_reloaded.load().is_some() {
        let _stays_as_it_was = reload(state, RETRIED).await;
    } else if let (Some(tls), Some(ssl)) = (&state.tls, &state.settings.load().ssl) {
        tls.retry(ssl);
    }
}

/// Reads configuration and modules again; a faulty one changes nothing. For who holds `reloading`. Modules load on,
/// whether or not that is waited for.
///
/// # Errors
/// What is wrong with it, in one line; it is logged.
async fn reload(
    state: &State,
    why: &str,
) -> Result<(Arc<Settings>, impl Future<Output = ()> + Send + use<>), String> {
    let before = state.settings.load_full();
    let sources = state.sources.clone();
    let loaded = match tokio::task::spawn_blocking(move || Settings::load(&sources)).await {
        Ok(loaded) => {
            loaded.map_err(|error| error.to_string()).and_then(|settings| match exposed(&settings) {
                Some(exposed) => Err(exposed.to_string()),
                None => Ok(settings),
            })
        }
        Err(error) => Err(error.to_string()),
    };
    let known = state.not_reloaded.swap(loaded.as_ref().err().cloned().map(Arc::new));
    if let (RETRIED, Err(error), Some(known)) = (why, &loaded, &known)
        && **known == *error
    {
        return Err(error.clone());
    }
    // A certificate is not to wait until the configuration is right.
    let ssl = loaded.as_ref().unwrap_or(&before).ssl.as_ref();
    if let (Some(tls), Some(ssl)) = (&state.tls, ssl) {
        tls.reopen(ssl);
    }
    let mut settings = loaded.inspect_err(|error| tracing::error!("not reloaded ({why}): {error}"))?;
    if fixed(&before) != fixed(&settings) {
        tracing::warn!(
            "[network], [Ops] bindto and port, [Doors], [Runners], [Log], [SSL] enabled, the key paths, and of [Limits] \
             Connections, HeadTimeout, IdleTimeout and DrainTimeout take effect at the next start"
        );
    }
    if settings.plugin.is_none() || before.plugin.is_none() {
        settings.plugin.clone_from(&before.plugin);
    }
    let settings = Arc::new(settings);
    state.guard.reconfigure(startup::guard_config(&settings));
    state.rates.reconfigure(&settings.limits);
    // The same list, too: the paths in it may lead elsewhere now.
    let modules = state.runners.reload(settings.modules.clone());
    startup::import(&state.registry, &settings).await;
    state.settings.store(settings.clone());
    tracing::info!("reloaded: {why}");
    Ok((settings, modules))
}

/// What a running server cannot change.
fn fixed(settings: &Settings) -> impl PartialEq {
    let Settings { server, network, clients, doors, ops, registry, limits, runners, ssl, log, .. } = settings;
    let listeners = (network.bindto, network.port, ops.bindto, ops.port, *doors, ssl.is_some());
    let connections =
        (limits.connections, limits.head_timeout, limits.idle_timeout, limits.drain_timeout, runners.clone());
    (
        log.clone(),
        listeners,
        connections,
        server.keypath.clone(),
        clients.keypath.clone(),
        registry.url.clone(),
    )
}

/// The files that are taken up when they change, with what tells that they did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Files(Vec<Option<Stamp>>);

impl Files {
    /// As they were when these settings were read; for who has read nothing else yet. What changes while the server
    /// starts is then taken up like any later change.
    pub(crate) fn as_read(settings: &Settings) -> Self {
        Self(settings.stamps.iter().copied().chain(Self::beside(settings)).collect())
    }

    fn now(settings: &Settings, sources: &Sources) -> Self {
        Self(sources.files().iter().map(|path| Stamp::of(path)).chain(Self::beside(settings)).collect())
    }

    /// Those that the settings name.
    fn beside(settings: &Settings) -> impl Iterator<Item = Option<Stamp>> {
        let certificate = settings.ssl.iter().flat_map(|ssl| [&ssl.certfile, &ssl.keyfile]);
        [&settings.clients.register].into_iter().chain(certificate).map(|path| Stamp::of(path))
    }
}
