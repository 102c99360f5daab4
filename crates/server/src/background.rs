//! What goes on beside the requests: following the registry and the files, forgetting, writing behind.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use msp_core::{Guard, Registry};
use msp_settings::Settings;
use tokio::time::{MissedTickBehavior, interval};

use crate::directory::Directory;
use crate::startup;
use crate::state::State;

/// How often the registry is asked for changes and the guard does what is due.
const BEAT: Duration = Duration::from_millis(500);
/// Beats between two looks at the files.
const FILES_EVERY: u64 = 2;
/// Beats between two writes of the days of use.
const USES_EVERY: u64 = 60;

/// Runs until dropped.
pub(crate) async fn run(state: Arc<State>) {
    let mut files = Files::of(&state);
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for beat in 0_u64.. {
        beats.tick().await;
        state.guard.tick().await;
        follow_registry(&state).await;
        if beat % FILES_EVERY == 0 {
            let now = Files::of(&state);
            if now != files {
                files = now;
                reload(&state, "a file has changed").await;
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
            directory.rotated_since(&before).for_each(|client| state.guard.client_rotated(client));
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

/// Reads configuration and modules again (SIGHUP, or a changed file); a faulty one changes nothing.
pub(crate) async fn reload(state: &State, why: &str) {
    let sources = state.sources.clone();
    let settings = match tokio::task::spawn_blocking(move || Settings::load(&sources)).await {
        Ok(Ok(settings)) => settings,
        Ok(Err(error)) => return tracing::error!("not reloaded ({why}): {error}"),
        Err(error) => return tracing::error!("not reloaded ({why}): {error}"),
    };
    let before = state.settings.load_full();
    if fixed(&before) != fixed(&settings) {
        tracing::warn!(
            "[network], [Ops] bindto and port, [Doors], [Runners], the key paths, and of [Limits] Connections, HeadTimeout, \
             IdleTimeout and DrainTimeout take effect at the next start"
        );
    }
    state.guard.reconfigure(startup::guard_config(&settings));
    state.rates.reconfigure(&settings.limits);
    if before.modules != settings.modules {
        state.runners.reload(settings.modules.clone()).await;
    }
    startup::import(&state.registry, &settings).await;
    state.settings.store(Arc::new(settings));
    tracing::info!("reloaded: {why}");
}

/// What a running server cannot change.
fn fixed(settings: &Settings) -> impl PartialEq {
    let Settings { server, network, clients, doors, ops, registry, limits, runners, .. } = settings;
    let listeners = (network.bindto, network.port, ops.bindto, ops.port, *doors);
    let connections =
        (limits.connections, limits.head_timeout, limits.idle_timeout, limits.drain_timeout, runners.clone());
    (listeners, connections, server.keypath.clone(), clients.keypath.clone(), registry.url.clone())
}

/// The files that are taken up when they change, with what tells that they did.
#[derive(Debug, PartialEq, Eq)]
struct Files(Vec<Option<(SystemTime, u64)>>);

impl Files {
    fn of(state: &State) -> Self {
        let register = state.settings.load().clients.register.clone();
        Self(state.sources.files().iter().chain([&register]).map(|path| stamp(path)).collect())
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
