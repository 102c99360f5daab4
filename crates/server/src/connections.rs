//! The connections of the main listener: how many there may be, how long each is waited for, and how much it may send
//! ahead of its answers.

use std::cell::Cell;
use std::io;
use std::net::TcpListener;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{IntoServiceFactory as _, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{self, AppConfig};
use actix_web::{App, HttpRequest};
use msp_core::clock::Clock;
use msp_settings::LimitSettings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::doors::sealed;
use crate::state::State;

/// Files for everything but connections: registry, log, ops and control doors, functions.
const OTHER_FILES: u64 = 1024;

/// Requests that a connection may send ahead of its answers.
const AHEAD: u32 = 8;

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

/// Serves the doors on this listener.
pub(crate) fn serve(listener: TcpListener, state: &Arc<State>) -> io::Result<dev::Server> {
    let settings = state.settings.load();
    let (limits, sealed) = (settings.limits, settings.doors.sealed);
    let data = actix_web::web::Data::from(state.clone());
    let clock = state.clock.clone();
    let connections = connections_that_fit(limits.connections);
    let workers = std::thread::available_parallelism().map_or(2, usize::from).min(connections);
    let server = dev::Server::build()
        .disable_signals()
        .workers(workers)
        .max_concurrent_connections(connections.div_ceil(workers))
        .shutdown_timeout(limits.drain_timeout.as_secs());
    let stopping = server.graceful_shutdown_signal();
    let server = server.listen("network", listener, move || {
        let (data, clock, stopping) = (data.clone(), clock.clone(), stopping.clone());
        let app = App::new().app_data(data).configure(|config| {
            if sealed {
                sealed::configure(config);
            }
        });
        let app = app.into_factory().map_err(|error: actix_web::Error| error.error_response());
        let http = HttpService::build()
            .client_request_timeout(limits.head_timeout)
            .client_disconnect_timeout(Duration::from_secs(1))
            .keep_alive(limits.idle_timeout)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|stream: &Patient, extensions| {
                extensions.insert(stream.calls.clone());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(move |stream: TcpStream| {
            let (peer, stream) = (stream.peer_addr().ok(), Patient::new(stream, &limits, clock.clone()));
            std::future::ready(Ok((stream, actix_http::Protocol::Http1, peer)))
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
pub(crate) struct UnderWay(Calls);

impl UnderWay {
    /// Begins a call; none outside a connection.
    pub(crate) fn begin(request: &HttpRequest) -> Option<Self> {
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

/// A connection that is given up when nothing of an answer could be sent for too long, though no call is under way, or
/// when far more requests come than are answered.
///
/// The HTTP library waits for ever for the head of a second request once it has begun, and for a peer that does not
/// read its answer; and it makes requests of everything in its buffer, which holds thousands.
struct Patient {
    stream: TcpStream,
    calls: Calls,
    clock: Arc<dyn Clock>,
    patience: Duration,
    /// When (monotonic) something was sent last, at first when it was accepted.
    sent: Duration,
    alarm: Pin<Box<Sleep>>,
    /// Whether the alarm will wake the connection.
    armed: bool,
    /// Bytes of the line that is being received.
    line: usize,
    /// Empty lines, each the end of a head, since all was answered.
    heads: u32,
}

impl Patient {
    fn new(stream: TcpStream, limits: &LimitSettings, clock: Arc<dyn Clock>) -> Self {
        let patience = limits.idle_timeout + limits.head_timeout;
        let (calls, sent, alarm) = (Calls::default(), clock.monotonic(), Box::pin(sleep(patience)));
        Self { stream, calls, clock, patience, sent, alarm, armed: false, line: 0, heads: 0 }
    }

    /// What waiting comes to: more waiting, or the end.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        // Polled once it waits for the connection's only task, which then is woken by it.
        while !self.armed || self.alarm.is_elapsed() {
            if self.alarm.as_mut().poll(context).is_pending() {
                // Without budget it has not looked at its time yet, and the task is woken at once.
                self.armed = tokio::task::coop::has_budget_remaining();
                break;
            }
            let quiet = self.clock.monotonic().saturating_sub(self.sent);
            let left = match self.patience.saturating_sub(quiet) {
                left if !self.calls.none_under_way() => left.max(Duration::from_secs(1)),
                Duration::ZERO => return Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
                left => left,
            };
            self.alarm.set(sleep(left));
            self.armed = false;
        }
        Poll::Pending
    }

    /// Counts the heads that end in these bytes.
    fn receive(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut begin = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let is_empty =
                matches!((self.line, bytes.get(begin..end)), (0, Some([] | [b'\r'])) | (1, Some([])));
            self.heads += u32::from(is_empty);
            (self.line, begin) = (0, end + 1);
        }
        self.line += bytes.len() - begin;
        if self.heads.saturating_sub(self.calls.0.ended.get()) > AHEAD {
            Err(io::ErrorKind::QuotaExceeded.into())
        } else {
            Ok(())
        }
    }

    fn noted(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.wait(context),
            Poll::Ready(written) => {
                self.sent = self.clock.monotonic();
                Poll::Ready(written)
            }
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => {
                if self.calls.none_under_way() {
                    self.heads = 0;
                    self.calls.0.ended.set(0);
                }
                self.wait(context)
            }
            Poll::Ready(Ok(())) => {
                Poll::Ready(self.receive(buffer.filled().get(before..).unwrap_or_default()))
            }
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.noted(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.noted(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
