//! Builds a server from its settings, binds it, then runs it until it is stopped.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig};
use actix_web::{App, HttpServer, dev};
use metrics_exporter_prometheus::PrometheusHandle;
use msp_core::clock::Clock;
use msp_core::{Registry, ServerLock};
use msp_keyfile::ServerKeys;
use msp_protocol::{OsRng, PrivateKey};
use msp_registry::SqlRegistry;
use msp_runners::Runners;
use msp_settings::{LimitSettings, Sources};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

use crate::assembly::{Opened, Parts, assemble};
use crate::configuration::Configuration;
use crate::doors::control::{self, Control};
use crate::doors::ops::{self, Ops};
use crate::error::StartupError;
use crate::reloader::Files;
use crate::{background, import};

/// A server that is bound but does not serve yet.
pub struct Server {
    parts: Parts,
    address: SocketAddr,
    ops_address: Option<SocketAddr>,
    listeners: Vec<dev::Server>,
    control: UnixListener,
    pidfile: Option<PathBuf>,
    files: Files,
    commands: (mpsc::UnboundedSender<Command>, mpsc::UnboundedReceiver<Command>),
    _lock: ServerLock,
}

/// Steers a running server.
#[derive(Debug, Clone)]
pub struct ServerHandle(mpsc::UnboundedSender<Command>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Reload,
    Stop,
}

impl ServerHandle {
    /// Ends what is under way, then stops; said twice, stops at once.
    pub fn stop(&self) {
        let _stopped_already = self.0.send(Command::Stop);
    }

    /// Reads configuration and modules again.
    pub fn reload(&self) {
        let _stopped_already = self.0.send(Command::Reload);
    }
}

impl Server {
    /// Opens everything the settings name and binds the listeners. `launcher` starts the processes of functions: a
    /// program whose `main` begins with [`run_confined`](crate::run_confined).
    ///
    /// # Errors
    /// [`StartupError`]; nothing is served then.
    pub async fn build(
        configuration: Configuration,
        sources: Sources,
        clock: Arc<dyn Clock>,
        metrics: PrometheusHandle,
        launcher: &Path,
    ) -> Result<Self, StartupError> {
        let settings = configuration.settings.clone();
        for warning in &settings.warnings {
            tracing::warn!("{warning}");
        }
        if let Some(exposed) = configuration.exposed() {
            return Err(exposed);
        }
        let files = Files::as_read(&settings);
        msp_keyfile::create_private_folder(&settings.server.keypath)?;
        msp_keyfile::create_private_folder(&settings.clients.keypath)?;
        let registry: Arc<dyn Registry> =
            Arc::new(SqlRegistry::open(&settings.registry.url, clock.clone()).await?);
        let lock = registry.lock_for_server().await?;
        import::take_in(&*registry, &settings.clients.keypath, &settings.clients.register).await;
        let snapshot = registry.snapshot().await?;
        let key = server_key(&settings.server.keypath, snapshot.clients.len())?;
        let (main, address) =
            listen("network", SocketAddr::new(settings.network.bindto, settings.network.port))?;
        let ops = match settings.doors.ops {
            true => Some(listen("Ops", SocketAddr::new(settings.ops.bindto, settings.ops.port))?),
            false => None,
        };
        let connections = msp_http::connections_that_fit(settings.limits.connections);
        let opened = Opened { registry, snapshot, key, bound: address.ip(), connections };
        let (keypath, pidfile) = (settings.server.keypath.clone(), settings.pidfile.clone());
        let (limits, doors) = (LimitSettings { connections, ..settings.limits }, settings.doors);
        let parts = assemble(configuration, sources, clock.clone(), opened, launcher).await?;
        // Nothing is waited for from here on, so a start that is given up leaves neither of the two files.
        let control =
            control::bind(&keypath).map_err(|error| io(&keypath.join(msp_core::control::SOCKET), error))?;
        if let Some(pidfile) = &pidfile {
            msp_keyfile::replace(pidfile, format!("{}\n", std::process::id()).as_bytes())?;
        }
        let ops_address = ops.as_ref().map(|(_, address)| *address);
        let (sealed, plugin) = (Data::from(parts.sealed.clone()), Data::from(parts.plugin.clone()));
        let configure = move |config: &mut ServiceConfig| {
            if doors.sealed {
                msp_door_sealed::configure(config.app_data(sealed.clone()));
            }
            if doors.plugin {
                msp_door_plugin::configure(config.app_data(plugin.clone()));
            }
        };
        let serving = msp_http::serve(main, configure, limits, parts.reloader.tls.clone(), clock);
        let mut listeners = vec![serving.map_err(|error| io(Path::new("[network]"), error))?];
        if let Some((listener, _)) = ops {
            listeners.push(serve_ops(listener, parts.ops(metrics))?);
        }
        Ok(Self {
            parts,
            address,
            ops_address,
            listeners,
            control,
            pidfile,
            files,
            commands: mpsc::unbounded_channel(),
            _lock: lock,
        })
    }

    /// Where the doors are, with the real port.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the ops door is, with the real port.
    #[must_use]
    pub const fn ops_address(&self) -> Option<SocketAddr> {
        self.ops_address
    }

    /// Waits until every function has loaded or failed. A server need not: it serves each as soon as it can.
    pub async fn loaded(&self) {
        self.parts.control.runners.loaded().await;
    }

    /// A handle to steer it with while it runs.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle(self.commands.0.clone())
    }

    /// Serves until [`ServerHandle::stop`].
    ///
    /// # Errors
    /// [`StartupError::Io`] when a listener fails.
    pub async fn run(self) -> Result<(), StartupError> {
        let Self {
            parts,
            address,
            ops_address,
            listeners,
            control,
            pidfile,
            files,
            commands: (_keep, mut commands),
            _lock,
        } = self;
        tracing::info!(public_key = %parts.sealed.public_key(), "serving on {address}");
        if let Some(ops) = ops_address {
            tracing::info!("ops door on {ops}");
        }
        let beside = [
            tokio::spawn(background::run(parts.control.follower.clone(), parts.reloader.clone(), files)),
            tokio::spawn(control::serve(control, parts.control.clone())),
            tokio::spawn(tell_when_loaded(parts.control.runners.clone())),
        ];
        let handles: Vec<_> = listeners.iter().map(dev::Server::handle).collect();
        let mut serving = tokio::spawn(futures_util::future::try_join_all(listeners));
        let served = loop {
            tokio::select! {
                ended = &mut serving => break ended,
                command = commands.recv() => match command {
                    Some(Command::Reload) => {
                        // It may wait for calls under way; a stop must not.
                        let reloader = parts.reloader.clone();
                        tokio::spawn(async move { reloader.reload_all().await });
                    }
                    Some(Command::Stop) | None if parts.readiness().draining.swap(true, Ordering::Relaxed) => {
                        // What is still under way is given up; the listeners end with the process.
                        tracing::info!("stopping at once");
                        serving.abort();
                        break Ok(Ok(Vec::new()));
                    }
                    Some(Command::Stop) | None => {
                        tracing::info!("stopping when all that is under way has ended");
                        for handle in &handles {
                            // Resolved by the listener itself; waiting here would miss a second stop.
                            drop(handle.stop(true));
                        }
                    }
                },
            }
        };
        beside.iter().for_each(tokio::task::JoinHandle::abort);
        finish(&parts, pidfile).await;
        match served {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(StartupError::Io { place: address.to_string(), error }),
            Err(error) => {
                Err(StartupError::Io { place: address.to_string(), error: std::io::Error::other(error) })
            }
        }
    }
}

/// Says when functions have loaded; each is served before that, as soon as it can be.
async fn tell_when_loaded(runners: Runners) {
    runners.loaded().await;
    let catalogue = runners.catalogue();
    let failed = catalogue.missing_functions().count();
    tracing::info!("functions have loaded: {}, failed: {failed}", catalogue.iter().count());
}

/// How long the registry may take to close.
const CLOSING: Duration = Duration::from_secs(2);

/// Leaves the registry so that the next start refuses nothing without need.
async fn finish(parts: &Parts, pidfile: Option<PathBuf>) {
    let Control { guard, runners, follower, .. } = &*parts.control;
    if let Err(error) = guard.replay.close().await {
        tracing::warn!("the mark stays ahead, so the next start refuses for about two seconds: {error}");
    }
    follower.write_uses().await;
    runners.stop().await;
    // Without its log beside it; a disk that hangs keeps nobody waiting.
    let _slow = tokio::time::timeout(CLOSING, follower.registry.close()).await;
    let socket = parts.reloader.started.server.keypath.join(msp_core::control::SOCKET);
    for made in [Some(socket), pidfile].into_iter().flatten() {
        let _gone_already = std::fs::remove_file(made);
    }
    tracing::info!("stopped");
}

/// Reads the server's key, or makes one when nobody can miss it.
fn server_key(folder: &Path, clients: usize) -> Result<PrivateKey, StartupError> {
    match msp_keyfile::server_keys(folder)? {
        ServerKeys::Found(key) => {
            let file = folder.join("server.key");
            if !msp_keyfile::is_private(&file) {
                tracing::warn!("{} can be read by others: chmod 600 it", file.display());
            }
            Ok(key)
        }
        ServerKeys::Missing if clients > 0 => {
            Err(StartupError::KeyGone(folder.display().to_string(), clients))
        }
        ServerKeys::Missing => {
            let key = PrivateKey::generate(&mut OsRng);
            msp_keyfile::create_server_keys(folder, &key)?;
            tracing::info!(public_key = %key.public(), "made a new pair of server keys in {}", folder.display());
            Ok(key)
        }
    }
}

fn io(place: &Path, error: std::io::Error) -> StartupError {
    StartupError::Io { place: place.display().to_string(), error }
}

fn listen(section: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartupError> {
    let failed = |error| StartupError::Bind { section, address, error };
    let listener = TcpListener::bind(address).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn serve_ops(listener: TcpListener, ops: Ops) -> Result<dev::Server, StartupError> {
    let ops = Data::new(ops);
    let server = HttpServer::new(move || App::new().app_data(ops.clone()).configure(ops::configure))
        .disable_signals()
        .workers(1)
        .max_connections(256)
        .listen(listener)
        .map_err(|error| StartupError::Io { place: "[Ops]".to_owned(), error })?;
    Ok(server.run())
}
