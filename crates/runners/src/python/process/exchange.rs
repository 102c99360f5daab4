//! The one loop in which frames travel between the server and a Python process: what is due goes first, then what the
//! process sends, what it is sent, and the calls that come.

use std::borrow::Cow;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, sleep_until};

use super::frame::ReadBuffer;
use super::write_queue::WriteQueue;

/// Calls taken from the channel at once.
const AT_ONCE: usize = 64;

/// The moment `time` from now. The timer says it, so that tests which stop the timer stop this as well.
pub(in crate::python) fn after(time: Duration) -> Instant {
    sleep(time).deadline()
}

/// Why a process cannot go on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::python) enum Failure {
    /// It ended by itself, or did what it may not.
    #[error("{0}")]
    Broken(Fault),
    /// The call of this number has taken too long, and only the end of the process can end it.
    #[error("a call did not end")]
    Overdue(u64),
}

/// What a process did wrong, for the log.
pub(in crate::python) type Fault = Cow<'static, str>;

/// What is sent to a process, and what the frames that it sends mean.
pub(in crate::python) trait Exchange {
    /// What comes through the channel while frames are exchanged.
    type Call;
    /// What is said of a process that has ended.
    const ENDED: &'static str = "it ended";
    /// What is said of a process that sends a frame longer than [`Self::longest_frame`].
    const TOO_LONG: &'static str = "it sent more than an answer may hold";

    /// True when nothing more has to come from the process.
    fn is_done(&self) -> bool;

    /// Takes one more call.
    fn push(&mut self, call: Self::Call);

    /// When [`Self::enforce`] has something to do.
    fn next_deadline(&self) -> Option<Instant>;

    /// Gives up what is due.
    ///
    /// # Errors
    /// Why the process must be ended for it.
    fn enforce(&mut self, now: Instant) -> Result<(), Failure>;

    /// The longest body that the next frame may have, in bytes.
    fn longest_frame(&self) -> usize;

    /// Takes a frame that has come.
    ///
    /// # Errors
    /// What the process did wrong.
    fn take(&mut self, id: u64, body: Vec<u8>) -> Result<(), Fault>;

    /// What is to be written.
    fn queue(&self) -> &WriteQueue;

    /// Notes that so many bytes of the queue are written.
    fn wrote(&mut self, count: usize);
}

/// A channel for exchanges during which no call comes.
pub(in crate::python) fn no_calls<T>() -> UnboundedReceiver<T> {
    unbounded_channel().1
}

/// Exchanges frames until no call can come any more and the exchange is done. Each turn is bounded, whatever the
/// process does and however large a frame is.
///
/// # Errors
/// Why the process cannot go on; calls that it had are still to be answered then.
pub(in crate::python) async fn run<E: Exchange>(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    input: &mut ReadBuffer,
    exited: impl Future<Output = ()>,
    exchange: &mut E,
    calls: &mut UnboundedReceiver<E::Call>,
) -> Result<(), Failure> {
    let ended = || Failure::Broken(E::ENDED.into());
    let mut exited = std::pin::pin!(exited);
    let mut open = !(calls.is_closed() && calls.is_empty());
    let mut taken = Vec::with_capacity(AT_ONCE);
    while open || !exchange.is_done() {
        let (next, now) = (exchange.next_deadline(), after(Duration::ZERO));
        if next.is_some_and(|deadline| deadline <= now) {
            // What was sent in time may lie there unread, if the server was held up.
            if let Some(Ok(1..)) = reader.read_buf(input.buffer()).now_or_never() {
                take_frames(exchange, input)?;
            }
            exchange.enforce(now)?;
            continue;
        }
        tokio::select! {
            biased;
            read = reader.read_buf(input.buffer()) => {
                read.ok().filter(|count| *count > 0).ok_or_else(ended)?;
                take_frames(exchange, input)?;
            }
            written = writer.write(exchange.queue().next()), if !exchange.queue().is_empty() => {
                exchange.wrote(written.ok().filter(|count| *count > 0).ok_or_else(ended)?);
            }
            count = calls.recv_many(&mut taken, AT_ONCE), if open => {
                open = count > 0;
                taken.drain(..).for_each(|call| exchange.push(call));
            }
            // Only when nothing is left to read: what a process sent before it ended counts.
            () = &mut exited => return Err(ended()),
            () = due(next) => {}
        }
    }
    Ok(())
}

fn take_frames<E: Exchange>(exchange: &mut E, input: &mut ReadBuffer) -> Result<(), Failure> {
    let too_long = |_| Failure::Broken(E::TOO_LONG.into());
    while let Some((id, body)) = input.take(exchange.longest_frame()).map_err(too_long)? {
        exchange.take(id, body).map_err(Failure::Broken)?;
    }
    Ok(())
}

/// Waits until the deadline, for ever if there is none.
async fn due(next: Option<Instant>) {
    match next {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
