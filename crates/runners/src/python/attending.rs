//! One worker and its calls: what is due goes first, then what it says, what it is sent, and the calls that come.

use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, sleep, sleep_until};

use super::frame::Inbox;
use super::outbox::Outbox;
use super::worker::Worker;

/// Calls taken from the queue at once.
const AT_ONCE: usize = 64;

/// The moment `time` from now. The timer says it, so that tests which stop the timer stop this as well.
pub(super) fn after(time: Duration) -> Instant {
    sleep(time).deadline()
}

/// Why a worker serves no longer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It broke off, by itself or because it sent what it may not.
    Broken(&'static str),
    /// This call has taken too long, and only the worker's end can end it.
    Overdue(u64),
    /// No call can come any more, and all are answered.
    Retired,
}

/// The calls that a worker has.
pub(super) trait Calls {
    type Call;

    /// True when it owes no answer.
    fn is_empty(&self) -> bool;

    /// Takes one more.
    fn push(&mut self, call: Self::Call);

    /// When [`Self::enforce`] has something to do.
    fn next_deadline(&self) -> Option<Instant>;

    /// Gives up what is due.
    ///
    /// # Errors
    /// [`Cause::Overdue`] when the worker must be ended for it.
    fn enforce(&mut self, now: Instant) -> Result<(), Cause>;

    /// Takes the answers that have come.
    ///
    /// # Errors
    /// What the worker did wrong.
    fn take_answers(&mut self, inbox: &mut Inbox) -> Result<(), &'static str>;

    /// What is to be written.
    fn outbox(&self) -> &Outbox;

    /// So much of it is written.
    fn wrote(&mut self, count: usize);
}

/// Serves the calls that come, until none can come any more or the worker ends. What it had is still to be answered
/// then.
pub(super) async fn attend<C: Calls>(
    worker: &mut Worker,
    sent: &mut C,
    calls: &mut UnboundedReceiver<C::Call>,
) -> Cause {
    let Worker { group, stream, inbox, .. } = worker;
    let (reader, writer) = stream.split();
    converse(reader, writer, inbox, group.exited(), sent, calls).await.unwrap_or_else(|cause| cause)
}

/// Each turn is bounded, whatever the other side does and however large a call is.
pub(super) async fn converse<C: Calls>(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    inbox: &mut Inbox,
    exited: impl Future<Output = ()>,
    sent: &mut C,
    calls: &mut UnboundedReceiver<C::Call>,
) -> Result<Cause, Cause> {
    let ended = || Cause::Broken("it ended");
    let mut exited = std::pin::pin!(exited);
    let (mut open, mut taken) = (true, Vec::with_capacity(AT_ONCE));
    while open || !sent.is_empty() {
        let (next, now) = (sent.next_deadline(), after(Duration::ZERO));
        if next.is_some_and(|deadline| deadline <= now) {
            // What was answered in time may lie there unread, if the server was held up.
            if let Some(Ok(1..)) = reader.read_buf(inbox.buffer()).now_or_never() {
                sent.take_answers(inbox).map_err(Cause::Broken)?;
            }
            sent.enforce(now)?;
            continue;
        }
        tokio::select! {
            biased;
            read = reader.read_buf(inbox.buffer()) => {
                read.ok().filter(|count| *count > 0).ok_or_else(ended)?;
                sent.take_answers(inbox).map_err(Cause::Broken)?;
            }
            written = writer.write(sent.outbox().next()), if !sent.outbox().is_empty() => {
                sent.wrote(written.ok().filter(|count| *count > 0).ok_or_else(ended)?);
            }
            count = calls.recv_many(&mut taken, AT_ONCE), if open => {
                open = count > 0;
                taken.drain(..).for_each(|call| sent.push(call));
            }
            // Only when nothing is left to read: what a worker answered before it ended counts.
            () = &mut exited => return Err(ended()),
            () = due(next) => {}
        }
    }
    Ok(Cause::Retired)
}

/// Waits until the deadline, for ever if there is none.
async fn due(next: Option<Instant>) {
    match next {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
