//! A connection that is given up in time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::Protocol;
use msp_core::clock::Clock;
use msp_settings::LimitSettings;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::Calls;
use super::wire::Wire;

/// Requests that a connection may send ahead of its answers.
const AHEAD: u32 = 8;
/// The longest write that may be no more than a sign of life: HTTP/2's pings, acknowledgements and windows.
const SIGN_OF_LIFE: usize = 64;
/// What the last answers on an HTTP/2 connection have to leave, once the server stops.
const LAST_WORDS: Duration = Duration::from_millis(250);

/// A connection that is given up when nothing of an answer could be sent for too long, though no call is under way, or
/// when far more requests come than are answered.
///
/// The HTTP library waits for ever for the head of a second request once it has begun, and for a peer that does not
/// read its answer; and it makes requests of everything in its buffer, which holds thousands. An HTTP/2 connection it
/// keeps for as long as the other side answers pings, also when the server stops.
pub(super) struct Patient {
    stream: Wire,
    /// Whether it carries many requests at a time, as HTTP/2 does.
    multiplexed: bool,
    /// Resolves when the server stops; taken then.
    stop: Option<Pin<Box<dyn Future<Output = ()>>>>,
    pub(super) calls: Calls,
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
    pub(super) fn new(
        stream: Wire,
        protocol: Protocol,
        limits: &LimitSettings,
        clock: Arc<dyn Clock>,
        stop: impl Future<Output = ()> + 'static,
    ) -> Self {
        let patience = limits.idle_timeout + limits.head_timeout;
        let multiplexed = protocol == Protocol::Http2;
        Self {
            stream,
            multiplexed,
            stop: multiplexed.then(|| Box::pin(stop) as _),
            calls: Calls::default(),
            patience,
            sent: clock.monotonic(),
            clock,
            alarm: Box::pin(sleep(patience)),
            armed: false,
            line: 0,
            heads: 0,
        }
    }

    /// Once the server stops, patience is short.
    fn heed_stop(&mut self, context: &mut Context<'_>) {
        if self.stop.as_mut().is_some_and(|stop| stop.as_mut().poll(context).is_ready()) {
            self.stop = None;
            self.patience = LAST_WORDS;
            self.sent = self.clock.monotonic();
            self.alarm.set(sleep(LAST_WORDS));
            self.armed = false;
        }
    }

    /// What waiting comes to: more waiting, or the end.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        self.heed_stop(context);
        // Polled once it waits for the connection's only task, which then is woken by it.
        while !self.armed || self.alarm.is_elapsed() {
            if self.alarm.as_mut().poll(context).is_pending() {
                // Without budget it has not looked at its time yet, and the task is woken at once.
                self.armed = tokio::task::coop::has_budget_remaining();
                break;
            }
            let quiet = self.clock.monotonic().saturating_sub(self.sent);
            let left = match self.patience.saturating_sub(quiet) {
                left if !self.calls.none_under_way() => left.max(self.patience.min(Duration::from_secs(1))),
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
        if self.multiplexed {
            return Ok(());
        }
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
                let is_answer = !self.multiplexed || !matches!(written, Ok(..=SIGN_OF_LIFE));
                if is_answer || !self.calls.none_under_way() {
                    self.sent = self.clock.monotonic();
                }
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
