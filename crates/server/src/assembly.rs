//! Putting a server together: each door, and each thing that goes on beside them, gets what it needs and no more.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use metrics_exporter_prometheus::PrometheusHandle;
use msp_core::clock::Clock;
use msp_core::{Calls, Guard, Rates, Registry, RequestIds, Snapshot};
use msp_door_plugin::PluginDoor;
use msp_door_sealed::{self as sealed, Clients, Sealed};
use msp_guard::MemoryGuard;
use msp_http::{ApiKeys, Budget, Listening, Tls};
use msp_protocol::{OsRng, PrivateKey, RngCore as _};
use msp_runners::{Runners, RunnersConfig};
use msp_settings::{Settings, Sources, SslSettings};

use crate::configuration::{Configuration, Current};
use crate::doors::control::Control;
use crate::doors::ops::Ops;
use crate::error::StartupError;
use crate::follower::{Follower, take_up};
use crate::isolation;
use crate::readiness::Readiness;
use crate::reloader::{Reloader, guard_config};

/// What a start has opened so far.
pub(crate) struct Opened {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) snapshot: Snapshot,
    pub(crate) key: PrivateKey,
    pub(crate) bound: IpAddr,
    /// How many there may be at once.
    pub(crate) connections: usize,
}

/// The doors, and what goes on beside them; each has what it needs.
pub(crate) struct Parts {
    pub(crate) sealed: Arc<Sealed>,
    pub(crate) plugin: Arc<PluginDoor>,
    pub(crate) control: Arc<Control>,
    pub(crate) reloader: Arc<Reloader>,
}

impl Parts {
    /// What readiness hangs on.
    pub(crate) fn readiness(&self) -> &Arc<Readiness> {
        &self.control.readiness
    }

    /// The ops door.
    pub(crate) fn ops(&self, metrics: PrometheusHandle) -> Ops {
        let (settings, readiness) = (self.control.settings.clone(), self.readiness().clone());
        Ops { settings, readiness, clients: self.control.follower.clients.clone(), metrics }
    }
}

/// What of the settings is the runners'.
pub(crate) fn runners_config(settings: &Settings, launcher: &Path) -> RunnersConfig {
    RunnersConfig {
        search_path: settings.search_path.clone(),
        python: settings.runners.python.clone(),
        python_workers: settings.runners.python_workers,
        isolation: isolation::config(settings, launcher),
        version: env!("CARGO_PKG_VERSION"),
    }
}

/// What doors are made of.
struct Core {
    clock: Arc<dyn Clock>,
    configuration: Current,
    ids: Arc<RequestIds>,
    calls: Arc<Calls>,
    registry: Arc<dyn Registry>,
    guard: Arc<MemoryGuard>,
    runners: Runners,
    clients: Arc<Clients>,
    api_keys: Arc<ApiKeys>,
}

impl Core {
    async fn start(
        configuration: Configuration,
        clock: Arc<dyn Clock>,
        registry: Arc<dyn Registry>,
        launcher: &Path,
    ) -> Result<Self, StartupError> {
        let settings = &configuration.settings;
        let guard = MemoryGuard::start(guard_config(settings), clock.clone(), registry.clone()).await?;
        let runners = Runners::start(
            runners_config(settings, launcher),
            settings.modules.clone(),
            configuration.plugin.as_ref().map(|door| door.spec.clone()),
            clock.clone(),
        )
        .await?;
        isolation::tell(&runners);
        let rates = Rates::new(settings.limits.per_address_rate, settings.limits.per_caller_rate);
        let calls = Calls::new(clock.clone(), Arc::new(runners.clone()), Guard::of(guard.clone()), rates);
        Ok(Self {
            clock,
            configuration: Current::new(configuration),
            ids: Arc::new(RequestIds::from(OsRng.next_u64())),
            calls: Arc::new(calls),
            registry,
            guard,
            runners,
            clients: Arc::default(),
            api_keys: Arc::default(),
        })
    }

    fn sealed(&self, key: PrivateKey) -> Result<Arc<Sealed>, StartupError> {
        let parts = sealed::Parts {
            clock: self.clock.clone(),
            settings: self.configuration.settings(),
            ids: self.ids.clone(),
            calls: self.calls.clone(),
            guard: Guard::of(self.guard.clone()),
            clients: self.clients.clone(),
            key: Arc::new(key),
        };
        Sealed::open(parts)
            .map(Arc::new)
            .map_err(|error| StartupError::Io { place: "thread of the classic search".to_owned(), error })
    }

    fn plugin(&self, reloads: Arc<Reloader>, bound: IpAddr, budget: Budget) -> PluginDoor {
        PluginDoor {
            clock: self.clock.clone(),
            settings: self.configuration.plugin(),
            ids: self.ids.clone(),
            calls: self.calls.clone(),
            functions: Arc::new(self.runners.clone()),
            failures: self.guard.clone(),
            audit: self.registry.clone(),
            api_keys: self.api_keys.clone(),
            budget,
            listening: Listening { has_tls: reloads.tls.is_some(), bound },
            reloads,
        }
    }

    fn reloader(&self, sources: Sources, tls: Option<Arc<Tls>>) -> Arc<Reloader> {
        Arc::new(Reloader {
            sources,
            started: self.configuration.load().settings.clone(),
            configuration: self.configuration.clone(),
            registry: self.registry.clone(),
            guard: self.guard.clone(),
            calls: self.calls.clone(),
            runners: self.runners.clone(),
            tls,
            reloading: tokio::sync::Mutex::default(),
            not_reloaded: ArcSwapOption::empty(),
        })
    }
}

fn open_tls(settings: &SslSettings) -> Result<Arc<Tls>, StartupError> {
    let tls = Tls::open(settings)?;
    if !msp_keyfile::is_private(&settings.keyfile) {
        tracing::warn!("{} can be read by others: chmod 600 it", settings.keyfile.display());
    }
    Ok(Arc::new(tls))
}

/// Puts together what a start has opened; functions load from here on.
///
/// # Errors
/// [`StartupError`].
pub(crate) async fn assemble(
    configuration: Configuration,
    sources: Sources,
    clock: Arc<dyn Clock>,
    opened: Opened,
    launcher: &Path,
) -> Result<Parts, StartupError> {
    let Opened { registry, snapshot, key, bound, connections } = opened;
    let tls = configuration.settings.ssl.as_ref().map(open_tls).transpose()?;
    let core = Core::start(configuration, clock, registry, launcher).await?;
    let generation = snapshot.generation.into();
    take_up(snapshot, &core.clients, &core.api_keys);
    let sealed = core.sealed(key)?;
    let readiness = Readiness::new(core.clock.clone(), core.guard.clone(), core.runners.clone());
    let follower = Arc::new(Follower {
        registry: core.registry.clone(),
        clients: core.clients.clone(),
        api_keys: core.api_keys.clone(),
        sealed: sealed.clone(),
        calls: core.calls.clone(),
        readiness: readiness.clone(),
        generation,
    });
    let reloader = core.reloader(sources, tls);
    let plugin = Arc::new(core.plugin(reloader.clone(), bound, Budget::of(connections)));
    let settings = core.configuration.settings();
    let Core { guard, runners, .. } = core;
    let guard = Guard::of(guard);
    let control = Arc::new(Control { settings, guard, runners, follower, readiness });
    Ok(Parts { sealed, plugin, control, reloader })
}
