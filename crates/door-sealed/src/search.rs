//! The search through all classic keys: one thread of its own behind a short queue.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

use std::time::Duration;

use msp_core::clock::Clock;
use msp_protocol::PrivateKey;
use msp_protocol::classic::Request;
use msp_protocol::sealing::BoxKey;
use tokio::sync::oneshot;

use crate::clients::{Clients, Entry};

/// Searches that may wait; one more is refused.
const QUEUE: usize = 64;
/// Keys derived between two looks at the queue, about 5 ms of work.
const WARMED_AT_ONCE: usize = 128;
/// Fewer keys than these are tried too fast to be timed.
const MEASURED: usize = 64;

/// A handle to the search thread, which ends when the last handle is dropped.
#[derive(Debug)]
pub(crate) struct ClassicSearch {
    queue: SyncSender<Task>,
}

enum Task {
    Find(Box<Request>, oneshot::Sender<Found>),
    /// Derive the keys of new clients, so that no search has to.
    Warm,
}

/// What a search came to.
pub(crate) struct Found {
    /// The request, handed back.
    pub(crate) request: Box<Request>,
    /// The client whose key opens it.
    pub(crate) entry: Option<Arc<Entry>>,
    /// When a search through all keys would have ended, whether or not this one did; monotonic.
    pub(crate) all_tried: Duration,
}

/// The queue is full.
pub(crate) struct Full;

impl ClassicSearch {
    pub(crate) fn start(
        server: Arc<PrivateKey>,
        clients: Arc<Clients>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let (queue, tasks) = sync_channel(QUEUE);
        let searcher = Searcher {
            server,
            current: clients,
            clock,
            tasks,
            classic: Arc::default(),
            keys: Vec::new(),
            cold: Vec::new(),
            per_key: Duration::ZERO,
        };
        std::thread::Builder::new().name("classic-search".to_owned()).spawn(move || searcher.work())?;
        let search = Self { queue };
        search.warm();
        Ok(search)
    }

    /// Finds the client whose key opens the request.
    pub(crate) async fn find(&self, request: Request) -> Result<Found, Full> {
        let (answer, found) = oneshot::channel();
        match self.queue.try_send(Task::Find(Box::new(request), answer)) {
            Ok(()) => found.await.map_err(|_| Full),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Full),
        }
    }

    /// Derives the keys of new clients in the background; skipped when the queue is full, since searches do it too.
    pub(crate) fn warm(&self) {
        let _skipped = self.queue.try_send(Task::Warm);
    }
}

/// The thread's own: the keys side by side in memory, so that trying them all waits for none of it.
struct Searcher {
    server: Arc<PrivateKey>,
    current: Arc<Clients>,
    clock: Arc<dyn Clock>,
    tasks: Receiver<Task>,
    /// The clients that are tried.
    classic: Arc<Vec<Arc<Entry>>>,
    /// Derived keys, with the place of their client among those that are tried.
    keys: Vec<(BoxKey, usize)>,
    /// The places of clients whose keys are still to be derived, the next one last.
    cold: Vec<usize>,
    /// What trying one key takes, as measured.
    per_key: Duration,
}

impl Searcher {
    fn work(mut self) {
        loop {
            let task = if self.cold.is_empty() {
                self.tasks.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.tasks.try_recv()
            };
            match task {
                Ok(Task::Find(request, answer)) => {
                    let _caller_gone = answer.send(self.find(request));
                }
                Ok(Task::Warm) => self.follow(),
                Err(TryRecvError::Empty) => {
                    let from = self.cold.len().saturating_sub(WARMED_AT_ONCE);
                    for place in self.cold.split_off(from) {
                        self.derive(place);
                    }
                }
                Err(TryRecvError::Disconnected) => return,
            }
        }
    }

    /// Takes up the clients there are now.
    fn follow(&mut self) {
        let classic = self.current.load().classic().clone();
        if Arc::ptr_eq(&classic, &self.classic) {
            return;
        }
        self.classic = classic;
        (self.keys, self.cold) = (Vec::new(), Vec::new());
        for (place, entry) in self.classic.iter().enumerate() {
            match entry.derived_box_key() {
                Some(key) => self.keys.push((key.clone(), place)),
                None => self.cold.push(place),
            }
        }
    }

    fn derive(&mut self, place: usize) -> Option<&BoxKey> {
        let key = self.classic.get(place)?.box_key(&self.server).clone();
        self.keys.push((key, place));
        self.keys.last().map(|(key, _)| key)
    }

    fn find(&mut self, request: Box<Request>) -> Found {
        self.follow();
        let began = self.clock.monotonic();
        let mut place = self.keys.iter().find(|(key, _)| request.opens_with(key)).map(|(_, place)| *place);
        if place.is_none() && self.cold.is_empty() && self.keys.len() >= MEASURED {
            let took = self.clock.monotonic().saturating_sub(began);
            let per_key = took / u32::try_from(self.keys.len()).unwrap_or(u32::MAX);
            // A thread that was held up meanwhile must not hold refusals up.
            self.per_key = if self.per_key.is_zero() { per_key } else { per_key.min(self.per_key * 2) };
        }
        while place.is_none()
            && let Some(cold) = self.cold.pop()
        {
            let fits = self.derive(cold).is_some_and(|key| request.opens_with(key));
            place = fits.then_some(cold);
        }
        let keys = u32::try_from(self.classic.len()).unwrap_or(u32::MAX);
        Found {
            request,
            entry: place.and_then(|place| self.classic.get(place)).cloned(),
            all_tried: began + self.per_key * keys,
        }
    }
}
