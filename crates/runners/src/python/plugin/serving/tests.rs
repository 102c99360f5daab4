//! Large calls and slow hosts: no call is late because of another.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use msp_core::FunctionLimits;
use tokio::io::{AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::*;
use crate::python::process::exchange::run;
use crate::python::process::frame::{ReadBuffer, append};

/// The largest body that `[Limits] Body` admits.
const LARGEST: usize = 64 * 1024 * 1024;

type Outcome = crate::reply::Outcome<Answer>;

/// A call with a body of this length and this time limit.
fn call(length: usize, timeout: Duration) -> (Call, Outcome) {
    let limits = FunctionLimits { timeout, ..FunctionLimits::default() };
    let job = crate::test_job(limits);
    let (reply, outcome) = Reply::new(job);
    let frame = CallFrame { head: vec![0; 4], body: Arc::new(vec![7; length]) };
    (Call { frame, reply }, outcome)
}

/// Takes this many bytes of each write, is never full, and remembers where they lay.
#[derive(Default)]
struct Sink {
    at_once: usize,
    written: usize,
    moved: bool,
    next: Option<usize>,
    /// A call that must have its outcome before anything is written.
    due: Option<Outcome>,
    late: bool,
}

impl AsyncWrite for &mut Sink {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.late |= self.due.as_mut().is_some_and(|outcome| outcome.try_recv().is_err());
        self.due = None;
        let count = bytes.len().min(self.at_once);
        let from = bytes.as_ptr().addr();
        self.moved |= self.next.is_some_and(|next| next != from);
        self.next = (count < bytes.len()).then_some(from + count);
        self.written += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn the_largest_request_is_written_without_moving_what_is_left_of_it() {
    let (mut sent, mut input, mut sink) = (HostCalls::default(), ReadBuffer::default(), Sink::default());
    sink.at_once = 4096;
    let (large, outcome) = call(LARGEST, Duration::from_secs(30));
    sent.send(large);
    let (_open, mut calls) = mpsc::unbounded_channel();
    let (reader, _silent) = tokio::io::duplex(64);
    let never = std::future::pending();
    let served = run(reader, &mut sink, &mut input, never, &mut sent, &mut calls).await;
    assert_eq!(served.unwrap_err(), Failure::Overdue(1), "it answered nothing");
    assert_eq!(outcome.await.unwrap(), Err(RunError::Timeout));
    assert!(sink.written > LARGEST && !sink.moved);
}

#[tokio::test(start_paused = true)]
async fn what_is_due_goes_before_a_write() {
    let (mut sent, mut input) = (HostCalls::default(), ReadBuffer::default());
    let (due, outcome) = call(1024, Duration::ZERO);
    sent.send(due);
    let mut sink = Sink { at_once: 1, due: Some(outcome), ..Sink::default() };
    let (_open, mut calls) = mpsc::unbounded_channel();
    let (reader, _silent) = tokio::io::duplex(64);
    let never = std::future::pending();
    let served = run(reader, &mut sink, &mut input, never, &mut sent, &mut calls).await;
    assert_eq!(served.unwrap_err(), Failure::Overdue(1), "it answered nothing");
    assert!(sink.written > 1024 && !sink.late);
}

#[tokio::test(start_paused = true)]
async fn while_a_host_reads_a_large_request_slowly_others_end_in_time_and_leave_nothing_behind() {
    let (mut sent, mut input) = (HostCalls::default(), ReadBuffer::default());
    let limit = Duration::from_secs(3);
    let (sender, mut calls) = mpsc::unbounded_channel();
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(ours);
    let (large, large_outcome) = call(LARGEST, limit);
    sender.send(Message::Call(large.into())).ok().unwrap();
    let began = after(Duration::ZERO);
    let host = async {
        // 64 KiB each 20 ms: the whole takes 20 s.
        let mut bytes = vec![0; 64 * 1024];
        let mut read = 0;
        while read < LARGEST {
            read += theirs.read(&mut bytes).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        read
    };
    let others = async {
        for _ in 0..5 {
            let (other, outcome) = call(1024 * 1024, limit);
            let sent_at = after(Duration::ZERO);
            sender.send(Message::Call(other.into())).ok().unwrap();
            assert_eq!(outcome.await.unwrap(), Err(RunError::Timeout));
            assert!(after(Duration::ZERO) - sent_at < limit + Duration::from_millis(10));
        }
        assert_eq!(large_outcome.await.unwrap(), Err(RunError::Timeout));
    };
    let serving = run(reader, writer, &mut input, std::future::pending(), &mut sent, &mut calls);
    let read = tokio::select! {
        served = serving => panic!("a host that reads has not hung: {served:?}"),
        (read, ()) = async { tokio::join!(host, others) } => read,
    };
    assert!(after(Duration::ZERO) - began > Duration::from_secs(15));
    // Nothing was sent of the others, so nothing had to be cancelled either: the large one is all there is.
    assert_eq!((sent.pending.len(), sent.cancelled.len(), sent.queued), (0, 1, 1));
    assert!(read >= LARGEST && !sent.queue.is_full());
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_in_time_counts_though_the_server_comes_to_it_late() {
    let (mut sent, mut input) = (HostCalls::default(), ReadBuffer::default());
    let (call, outcome) = call(0, Duration::from_secs(1));
    sent.send(call);
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(ours);
    let mut answer = Vec::new();
    append(&mut answer, 1, b"J1");
    theirs.write_all(&answer).await.unwrap();
    tokio::time::advance(Duration::from_secs(5)).await;
    let (sender, mut calls) = mpsc::unbounded_channel();
    drop(sender);
    let served = run(reader, writer, &mut input, std::future::pending(), &mut sent, &mut calls).await;
    assert_eq!(served, Ok(()));
    assert_eq!(outcome.await.unwrap().unwrap().body, b"1");
}

#[test]
fn calls_that_nobody_waits_for_are_cancelled_where_the_host_has_them_and_else_forgotten() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let (mut sent, limit) = (HostCalls::default(), Duration::from_secs(30));
    let (kept, mut waits) = call(0, limit);
    let (mut posted, leaves) = call(LARGEST, limit);
    let slots = Arc::new(tokio::sync::Semaphore::new(1));
    posted.reply.job.slot = slots.clone().try_acquire_owned().unwrap();
    let (behind, leaves_too) = call(0, limit);
    [kept, posted, behind].into_iter().for_each(|call| sent.push(Message::Call(call.into())));
    assert_eq!(sent.queued, 2, "the third waits behind the large one");
    drop((leaves, leaves_too));
    sent.push(Message::Abandoned);
    assert_eq!(sent.pending.keys().collect::<Vec<_>>(), [&1]);
    assert_eq!(sent.cancelled.keys().collect::<Vec<_>>(), [&2]);
    assert!(waits.try_recv().is_err(), "it goes on");
    assert_eq!(slots.available_permits(), 0, "the host may not have ended it yet");
    sent.take(2, b"O".to_vec()).unwrap();
    assert_eq!(slots.available_permits(), 1);
    sent.take(1, b"J1".to_vec()).unwrap();
    assert_eq!(waits.try_recv().unwrap().unwrap().body, b"1");
    assert!(sent.is_done());
}
