//! A connection that is given up in time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use msp_core::clock::Clock;
use msp_settings::LimitSettings;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::request_counter::RequestCounter;
use super::under_way::OpenCalls;
use super::wire::Wire;

/// Requests that a connection may send ahead of its answers.
const AHEAD: u32 = 8;

/// A connection that is given up when nothing of an answer could be sent for too long, when it says nothing for too long
/// though no call is under way, or when far more requests come than are answered.
///
/// The HTTP library waits for ever for the head of a second request once it has begun, and for a peer that does not
/// read its answer; and it makes requests of everything in its buffer, which holds thousands.
pub(super) struct LimitedStream {
    stream: Wire,
    pub(super) open: OpenCalls,
    clock: Arc<dyn Clock>,
    patience: Duration,
    /// When (monotonic) something was sent last, or could no longer be; at first when it was accepted.
    sent: Duration,
    /// Whether something is to be sent that the peer does not take.
    is_blocked: bool,
    alarm: Pin<Box<Sleep>>,
    /// Whether the alarm will wake the connection.
    armed: bool,
    /// Those that came since all was answered.
    requests: RequestCounter,
    /// What was received, and found no room.
    left: Vec<u8>,
}

impl LimitedStream {
    pub(super) fn new(stream: Wire, limits: &LimitSettings, clock: Arc<dyn Clock>) -> Self {
        let patience = limits.idle_timeout + limits.head_timeout;
        Self {
            stream,
            open: OpenCalls::default(),
            patience,
            sent: clock.monotonic(),
            is_blocked: false,
            clock,
            alarm: Box::pin(sleep(patience)),
            armed: false,
            requests: RequestCounter::new(),
            left: Vec::new(),
        }
    }

    /// What waiting comes to: more waiting, or the end.
    fn wait<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if self.open.is_upgraded() && !self.is_blocked {
            return Poll::Pending;
        }
        // Polled once it waits for the connection's only task, which then is woken by it.
        while !self.armed || self.alarm.is_elapsed() {
            if self.alarm.as_mut().poll(context).is_pending() {
                // Without budget it has not looked at its time yet, and the task is woken at once.
                self.armed = tokio::task::coop::has_budget_remaining();
                break;
            }
            let quiet = self.clock.monotonic().saturating_sub(self.sent);
            let left = match self.patience.saturating_sub(quiet) {
                Duration::ZERO if self.is_blocked || self.open.is_idle() => {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                // A call is under way that has nothing to say yet: its end is sent, and then it counts anew.
                Duration::ZERO => self.patience,
                left => left,
            };
            self.alarm.set(sleep(left));
            self.armed = false;
        }
        Poll::Pending
    }

    /// Counts the requests that begin in what the buffer holds from here on, and mends their targets.
    fn receive(&mut self, buffer: &mut ReadBuf<'_>, from: usize) -> io::Result<()> {
        if self.open.is_upgraded() {
            return Ok(());
        }
        if let Some(mended) = self.requests.take(buffer.filled().get(from..).unwrap_or_default()) {
            buffer.set_filled(from);
            self.left = mended;
            self.give_left(buffer);
        }
        let unanswered = self.requests.count.saturating_sub(self.open.ended());
        if unanswered > AHEAD { Err(io::ErrorKind::QuotaExceeded.into()) } else { Ok(()) }
    }

    /// Gives what was left over for want of room.
    fn give_left(&mut self, buffer: &mut ReadBuf<'_>) {
        let fits = self.left.len().min(buffer.remaining());
        buffer.put_slice(self.left.get(..fits).unwrap_or_default());
        self.left.drain(..fits);
    }

    fn noted(
        &mut self,
        written: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => {
                if !self.is_blocked {
                    (self.sent, self.is_blocked) = (self.clock.monotonic(), true);
                }
                self.wait(context)
            }
            Poll::Ready(written) => {
                (self.sent, self.is_blocked) = (self.clock.monotonic(), false);
                Poll::Ready(written)
            }
        }
    }
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.left.is_empty() {
            self.give_left(buffer);
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut self.stream).poll_read(context, buffer) {
            Poll::Pending => {
                if self.open.is_idle() {
                    self.requests.count = 0;
                    self.open.forget_ended();
                }
                self.wait(context)
            }
            Poll::Ready(Ok(())) => Poll::Ready(self.receive(buffer, before)),
            failed @ Poll::Ready(Err(_)) => failed,
        }
    }
}

impl AsyncWrite for LimitedStream {
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

#[cfg(test)]
mod tests;
