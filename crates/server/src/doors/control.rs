//! The control door: a Unix socket for msp-admin.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use msp_core::control::{MAX_LINE, Reply, Request, SOCKET, Status};
use msp_core::{AuditEvent, Guard};
use msp_runners::Runners;
use msp_settings::{InForce, Settings};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::follower::Follower;
use crate::readiness::Readiness;

/// The door, and what it shows and steers.
pub(crate) struct Control {
    pub(crate) settings: InForce<Arc<Settings>>,
    pub(crate) guard: Guard,
    pub(crate) runners: Runners,
    pub(crate) follower: Arc<Follower>,
    pub(crate) readiness: Arc<Readiness>,
}

/// How long one question may take to arrive.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Conversations at once.
const MAX_CONVERSATIONS: usize = 16;

/// Binds the socket; an old one left by a killed server is replaced, which the registry's lock makes safe.
pub(crate) fn bind(folder: &Path) -> io::Result<UnixListener> {
    let path = folder.join(SOCKET);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // The folder is 0700 and main sets the umask, so nobody gets in before the mode is set.
    let listener = UnixListener::bind(&path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            io::Error::other("too long for a socket; choose a shorter [Server] Keypath")
        }
        _ => error,
    })?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers until dropped.
pub(crate) async fn serve(listener: UnixListener, control: Arc<Control>) {
    let conversations = Arc::new(tokio::sync::Semaphore::new(MAX_CONVERSATIONS));
    loop {
        let Ok(place) = conversations.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let control = control.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &control).await {
                        tracing::debug!("control: {error}");
                    }
                });
            }
            Err(error) => {
                tracing::warn!("control socket: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, control: &Control) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer != 0 && peer != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("uid {peer} is neither the server's user nor root")));
    }
    let (reading, mut writing) = stream.split();
    let mut line = String::new();
    let mut reading = BufReader::new(reading.take(MAX_LINE as u64));
    tokio::time::timeout(QUESTION_TIMEOUT, reading.read_line(&mut line)).await??;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer(control, request).await,
        Err(error) => Reply::Failed { message: format!("not a request: {error}") },
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    writing.write_all(text.as_bytes()).await
}

async fn answer(control: &Control, request: Request) -> Reply {
    match request {
        Request::Bans => Reply::Bans { bans: control.guard.failures.bans().await },
        Request::Functions => Reply::Functions { functions: control.runners.report() },
        Request::Floor => {
            Reply::Floor { guard: control.guard.replay.status(), now: control.readiness.clock.unix() }
        }
        Request::Follow => {
            control.follower.follow().await;
            Reply::Done
        }
        Request::FloorReset { actor } => reset_floor(control, actor).await,
        Request::LiftBan { address } => {
            if control.guard.failures.lift_ban(address).await {
                Reply::Done
            } else {
                Reply::Failed { message: format!("{address} is not on the ban list") }
            }
        }
        Request::Restore { from, name, actor } => restore(control, &from, &name, &actor).await,
        Request::Status => Reply::Status { status: Box::new(status(control)) },
        Request::Why { id, address, last } => {
            Reply::Refusals { refusals: control.follower.calls.refusals.find(id.as_deref(), address, last) }
        }
    }
}

fn done<T, E: std::fmt::Display>(result: Result<T, E>) -> Reply {
    match result {
        Ok(_) => Reply::Done,
        Err(error) => Reply::Failed { message: error.to_string() },
    }
}

async fn reset_floor(control: &Control, actor: String) -> Reply {
    let before = control.guard.replay.status();
    let detail = format!("floor {}, mark {}", before.floor, before.accepted_until);
    let event = AuditEvent { actor, action: "floor.reset", subject: String::new(), detail };
    if let Err(error) = control.follower.registry.record(event).await {
        return Reply::Failed { message: format!("not reset, because it cannot be audited: {error}") };
    }
    done(control.guard.replay.reset_floor().await)
}

async fn restore(control: &Control, from: &Path, name: &str, actor: &str) -> Reply {
    let ttl = control.settings.now().clients.request_ttl;
    let reply = match control.follower.registry.restore(from, name, ttl, actor).await {
        Err(error) => return Reply::Failed { message: error.to_string() },
        Ok(restored) => match control.guard.replay.reload_marks().await {
            Ok(()) => Reply::Restored { restored },
            Err(error) => Reply::Failed { message: error.to_string() },
        },
    };
    control.follower.follow().await;
    reply
}

fn status(control: &Control) -> Status {
    let catalogue = control.runners.catalogue();
    let isolation = control.runners.isolation();
    let functions = catalogue
        .iter()
        .map(|function| (function.name.to_string(), format!("{:?}", function.kind).to_lowercase()));
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_sec: control.readiness.clock.monotonic().as_secs(),
        clients: control.follower.clients.count(),
        generation: control.follower.generation.load(Ordering::Relaxed),
        functions: functions.collect(),
        guard: control.guard.replay.status(),
        not_ready: control.readiness.reasons(),
        notes: isolation.in_force,
        warnings: isolation.lacking,
    }
}
