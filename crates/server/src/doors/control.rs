//! The control door: a Unix socket for msp-admin.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use msp_core::control::{MAX_LINE, Reply, Request, SOCKET, Status};
use msp_core::{AuditEvent, Guard, Registry};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::background;
use crate::state::State;

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
pub(crate) async fn serve(listener: UnixListener, state: Arc<State>) {
    let conversations = Arc::new(tokio::sync::Semaphore::new(MAX_CONVERSATIONS));
    loop {
        let Ok(place) = conversations.clone().acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let state = state.clone();
                tokio::spawn(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &state).await {
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

async fn converse(mut stream: UnixStream, state: &State) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    if peer != 0 && peer != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other(format!("uid {peer} is neither the server's user nor root")));
    }
    let (reading, mut writing) = stream.split();
    let mut line = String::new();
    let mut reading = BufReader::new(reading.take(MAX_LINE as u64));
    tokio::time::timeout(QUESTION_TIMEOUT, reading.read_line(&mut line)).await??;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => answer(state, request).await,
        Err(error) => Reply::Failed { message: format!("not a request: {error}") },
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    writing.write_all(text.as_bytes()).await
}

async fn answer(state: &State, request: Request) -> Reply {
    match request {
        Request::Bans => Reply::Bans { bans: state.guard.bans() },
        Request::Functions => Reply::Functions { functions: state.runners.report() },
        Request::Floor => Reply::Floor { guard: state.guard.status(), now: state.clock.unix() },
        Request::Follow => {
            background::follow_registry(state).await;
            Reply::Done
        }
        Request::FloorReset { actor } => reset_floor(state, actor).await,
        Request::LiftBan { address } => {
            if state.guard.lift_ban(address) {
                Reply::Done
            } else {
                Reply::Failed { message: format!("{address} is not on the ban list") }
            }
        }
        Request::Restore { from, name, actor } => restore(state, &from, &name, &actor).await,
        Request::Status => Reply::Status { status: Box::new(status(state)) },
        Request::Why { id, address, last } => {
            Reply::Refusals { refusals: state.refusals.find(id.as_deref(), address, last) }
        }
    }
}

fn done<T, E: std::fmt::Display>(result: Result<T, E>) -> Reply {
    match result {
        Ok(_) => Reply::Done,
        Err(error) => Reply::Failed { message: error.to_string() },
    }
}

async fn reset_floor(state: &State, actor: String) -> Reply {
    let before = state.guard.status();
    let detail = format!("floor {}, mark {}", before.floor, before.accepted_until);
    let event = AuditEvent { actor, action: "floor.reset", subject: String::new(), detail };
    if let Err(error) = state.registry.record(event).await {
        return Reply::Failed { message: format!("not reset, because it cannot be audited: {error}") };
    }
    done(state.guard.reset_floor().await)
}

async fn restore(state: &State, from: &Path, name: &str, actor: &str) -> Reply {
    let ttl = state.settings.load().clients.request_ttl;
    let reply = match state.registry.restore(from, name, ttl, actor).await {
        Err(error) => return Reply::Failed { message: error.to_string() },
        Ok(restored) => match state.guard.reload_marks().await {
            Ok(()) => Reply::Restored { restored },
            Err(error) => Reply::Failed { message: error.to_string() },
        },
    };
    background::follow_registry(state).await;
    reply
}

fn status(state: &State) -> Status {
    let catalogue = state.runners.catalogue();
    let directory = state.directory.load();
    let isolation = state.runners.isolation();
    let functions = catalogue
        .iter()
        .map(|function| (function.name.to_string(), format!("{:?}", function.kind).to_lowercase()));
    Status {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        uptime_sec: state.clock.monotonic().as_secs(),
        clients: directory.len(),
        generation: directory.generation,
        functions: functions.collect(),
        guard: state.guard.status(),
        not_ready: state.not_ready(),
        notes: isolation.in_force,
        warnings: isolation.lacking,
    }
}
