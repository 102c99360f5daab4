//! The listener and its connections: how many there may be, how long each is waited for, and how much it may send
//! ahead of its answers.

mod limited_stream;
mod request_counter;
mod wire;

use std::cell::Cell;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{self, AppConfig};
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpRequest};
use msp_core::clock::Clock;
use msp_settings::LimitSettings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

use self::limited_stream::LimitedStream;
use self::wire::Wire;
use crate::tls::Tls;

/// Files for everything but connections: registry, log, ops and control doors, functions.
const OTHER_FILES: u64 = 1024;

/// Lets the process open as many files as the system allows it; each connection is one.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _stays_as_it_was = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// `[Limits] Connections`, or as many as the system lets this process open.
fn connections_that_fit(wanted: usize) -> usize {
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let fit = usize::try_from(files - OTHER_FILES.min(files / 4)).unwrap_or(usize::MAX);
    if wanted > fit {
        tracing::warn!(
            "[Limits] Connections is {wanted}, but this process may open {files} files, so it serves {fit} at once: raise \
             the limit (ulimit -n, LimitNOFILE= in a systemd unit, --ulimit nofile= for a container) or lower Connections"
        );
    }
    wanted.min(fit)
}

/// Serves what is configured on this listener.
pub fn serve(
    listener: TcpListener,
    doors: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    limits: LimitSettings,
    tls: Option<Arc<Tls>>,
    clock: Arc<dyn Clock>,
) -> io::Result<dev::Server> {
    let connections = connections_that_fit(limits.connections);
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(connections);
    let server = dev::Server::build()
        .disable_signals()
        .workers(workers)
        .max_concurrent_connections(connections.div_ceil(workers))
        .shutdown_timeout(limits.drain_timeout.as_secs());
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("network", listener, move || {
        let (clock, stopping, tls) = (clock.clone(), stopping.clone(), tls.clone());
        let app = App::new().configure(&doors);
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .client_request_timeout(limits.head_timeout)
            .client_disconnect_timeout(Duration::from_secs(1))
            .keep_alive(limits.idle_timeout)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|stream: &LimitedStream, extensions| {
                extensions.insert(stream.calls.clone());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let (tls, clock) = (tls.clone(), clock.clone());
            async move {
                let peer = stream.peer_addr().ok();
                let wire = Wire::open(stream, tls.as_deref(), limits.head_timeout).await?;
                Ok((LimitedStream::new(wire, &limits, clock), Protocol::Http1, peer))
            }
        })
        .and_then(http)
    })?;
    Ok(server.run())
}

/// The calls of one connection.
#[derive(Debug, Clone, Default)]
struct Calls(Rc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    under_way: Cell<u32>,
    /// Since nothing was left to read.
    ended: Cell<u32>,
}

impl Calls {
    fn none_under_way(&self) -> bool {
        self.0.under_way.get() == 0
    }
}

/// A call under way; while there is one, its connection is not given up.
pub struct UnderWay(Calls);

impl UnderWay {
    /// Begins a call; none outside a connection.
    pub fn begin(request: &HttpRequest) -> Option<Self> {
        let calls = request.conn_data::<Calls>()?.clone();
        calls.0.under_way.set(calls.0.under_way.get() + 1);
        Some(Self(calls))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Counts { under_way, ended } = &*self.0.0;
        under_way.set(under_way.get().saturating_sub(1));
        ended.set(ended.get().saturating_add(1));
    }
}
