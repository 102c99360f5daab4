use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use msp_core::clock::ManualClock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::advance;

use super::super::budget::Budget;
use super::super::under_way::UnderWay;
use super::*;

/// Idle time-out and head time-out together.
const PATIENCE: Duration = Duration::from_secs(65);

struct Pair {
    ours: LimitedStream,
    theirs: TcpStream,
    clock: Arc<ManualClock>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Pair {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let theirs = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let defaults = msp_settings::Settings::load(&msp_settings::Sources::default()).unwrap();
        let (idle_timeout, head_timeout) = (Duration::from_secs(60), Duration::from_secs(5));
        let limits = LimitSettings { idle_timeout, head_timeout, ..defaults.limits };
        let clock = Arc::new(ManualClock::at(1000));
        let ours = LimitedStream::new(Wire::Plain(stream), &limits, clock.clone());
        Self { ours, theirs, clock, wakes: Arc::default() }
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        advance(time).await;
    }

    /// Polls for something to read.
    fn read(&mut self) -> Poll<io::Result<usize>> {
        let waker = self.wakes.clone().into();
        let mut space = [0; 4096];
        let mut buffer = ReadBuf::new(&mut space);
        let read = Pin::new(&mut self.ours).poll_read(&mut Context::from_waker(&waker), &mut buffer);
        read.map_ok(|()| buffer.filled().len())
    }

    /// Writes until the peer's buffers are full.
    fn fill(&mut self) -> io::Error {
        let waker = self.wakes.clone().into();
        loop {
            match Pin::new(&mut self.ours).poll_write(&mut Context::from_waker(&waker), &[7; 65_536]) {
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return error,
                Poll::Pending => return io::ErrorKind::WouldBlock.into(),
            }
        }
    }

    fn gives_up(&mut self) -> bool {
        matches!(self.read(), Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::TimedOut)
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_call_a_silent_connection_is_given_up() {
    let mut pair = Pair::new().await;
    assert!(pair.read().is_pending());
    pair.pass(PATIENCE - Duration::from_secs(1)).await;
    assert!(pair.read().is_pending());
    pair.pass(Duration::from_secs(2)).await;
    assert_eq!(pair.wakes.0.load(Ordering::SeqCst), 1, "it is woken for that");
    assert!(pair.gives_up());
}

#[tokio::test(start_paused = true)]
async fn silence_inside_an_answer_is_no_reason_and_costs_a_wake_a_minute() {
    let mut pair = Pair::new().await;
    let call = UnderWay::of(&pair.ours.open);
    for _ in 0..10 {
        assert!(pair.read().is_pending());
        pair.pass(Duration::from_secs(60)).await;
    }
    assert!(pair.read().is_pending());
    assert!(pair.wakes.0.load(Ordering::SeqCst) <= 10);
    drop(call);
    pair.pass(PATIENCE + Duration::from_secs(1)).await;
    assert!(pair.gives_up());
}

#[tokio::test(start_paused = true)]
async fn who_reads_nothing_of_an_answer_is_given_up_though_the_call_goes_on() {
    let mut pair = Pair::new().await;
    let _call = UnderWay::of(&pair.ours.open);
    assert!(pair.read().is_pending());
    pair.pass(Duration::from_secs(3600)).await;
    assert_eq!(
        pair.fill().kind(),
        io::ErrorKind::WouldBlock,
        "an hour in which nothing was to be sent does not count"
    );
    pair.pass(PATIENCE - Duration::from_secs(1)).await;
    assert_eq!(pair.fill().kind(), io::ErrorKind::WouldBlock);
    // The alarm was set before it began, so that it may be late by as much.
    pair.pass(PATIENCE).await;
    assert_eq!(pair.fill().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn an_upgraded_connection_is_never_woken_and_may_say_what_it_likes() {
    let mut pair = Pair::new().await;
    let call = UnderWay::of(&pair.ours.open);
    assert!(pair.read().is_pending());
    call.upgrade(Budget::of(8).take().unwrap());
    pair.pass(Duration::from_secs(120)).await;
    assert!(pair.read().is_pending());
    let before = pair.wakes.0.load(Ordering::SeqCst);
    for _ in 0..100 {
        pair.pass(Duration::from_secs(120)).await;
    }
    assert_eq!(pair.wakes.0.load(Ordering::SeqCst), before, "not once in hours");
    assert!(pair.read().is_pending());
    pair.theirs.write_all(&b"\r\n\r\n".repeat(512)).await.unwrap();
    // Its arrival is real, and no time passes for it.
    let mut read = 0;
    while read < 2048 {
        match pair.read() {
            Poll::Ready(got) => read += got.unwrap(),
            Poll::Pending => tokio::task::yield_now().await,
        }
    }
    assert_eq!(pair.fill().kind(), io::ErrorKind::WouldBlock);
    pair.pass(PATIENCE * 2).await;
    assert_eq!(pair.fill().kind(), io::ErrorKind::TimedOut, "but it must read what it is sent");
    drop(call);
}

#[tokio::test(start_paused = true)]
async fn what_is_read_again_counts_anew() {
    let mut pair = Pair::new().await;
    let _call = UnderWay::of(&pair.ours.open);
    for _ in 0..5 {
        assert_eq!(pair.fill().kind(), io::ErrorKind::WouldBlock);
        pair.pass(PATIENCE - Duration::from_secs(1)).await;
        let mut taken = vec![0; 8 * 1024 * 1024];
        let _some = pair.theirs.read(&mut taken).await.unwrap();
        let mut wrote = false;
        while !wrote {
            let waker = pair.wakes.clone().into();
            let one = Pin::new(&mut pair.ours).poll_write(&mut Context::from_waker(&waker), &[7]);
            wrote = matches!(one, Poll::Ready(Ok(1)));
            if !wrote {
                let _more = pair.theirs.read(&mut taken).await.unwrap();
            }
        }
    }
}
