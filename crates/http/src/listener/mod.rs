//! The listener and its connections: how many there may be, how long each is waited for, and how much it may send
//! ahead of its answers.
//!
//! A connection is in one of three modes. As a rule it makes *calls*. While a call's answer comes piece by piece it is a
//! *stream*, and silence inside the answer is the door's business ([`UnderWay::during`]). After an upgrade
//! ([`UnderWay::upgrade`]) all of it is the door's: nothing is counted in what comes, and nothing wakes it up.

mod budget;
mod limited_stream;
mod request_counter;
mod under_way;
mod wire;

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::App;
use actix_web::dev::{self, AppConfig};
use actix_web::web::ServiceConfig;
use msp_core::clock::Clock;
use msp_settings::LimitSettings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

use self::limited_stream::LimitedStream;
use self::wire::Wire;

pub use self::budget::{Budget, Place};
pub use self::under_way::UnderWay;
use crate::tls::Tls;

/// Files for everything but connections: registry, log, ops and control doors, functions.
const OTHER_FILES: u64 = 1024;

/// Lets the process open as many files as the system allows it; each connection is one.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _stays_as_it_was = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// `[Limits] Connections`, or as many as the system lets this process open; which it says in the log.
#[must_use]
pub fn connections_that_fit(wanted: usize) -> usize {
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

/// Serves what is configured on this listener; as many connections as the limits say, which must fit.
///
/// # Errors
/// What the system says of the listener.
pub fn serve(
    listener: TcpListener,
    doors: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
    limits: LimitSettings,
    tls: Option<Arc<Tls>>,
    clock: Arc<dyn Clock>,
) -> io::Result<dev::Server> {
    let connections = limits.connections;
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
                extensions.insert(stream.open.clone());
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
