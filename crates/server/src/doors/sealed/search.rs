//! The search through all classic keys: one thread of its own behind a short queue.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use arc_swap::ArcSwap;
use msp_protocol::PrivateKey;
use msp_protocol::classic::Request;
use tokio::sync::oneshot;

use crate::directory::{Directory, Entry};

/// Searches that may wait; one more is refused.
const QUEUE: usize = 64;

/// A handle to the search thread, which ends when the last handle is dropped.
#[derive(Debug)]
pub(crate) struct ClassicSearch {
    queue: SyncSender<Task>,
}

enum Task {
    Find(Box<Request>, oneshot::Sender<(Box<Request>, Option<Arc<Entry>>)>),
    /// Derive the keys of new clients, so that the next search does not have to.
    Warm,
}

/// The queue is full.
pub(crate) struct Full;

impl ClassicSearch {
    pub(crate) fn start(
        server: Arc<PrivateKey>,
        directory: Arc<ArcSwap<Directory>>,
    ) -> std::io::Result<Self> {
        let (queue, tasks) = sync_channel(QUEUE);
        std::thread::Builder::new()
            .name("classic-search".to_owned())
            .spawn(move || work(&tasks, &server, &directory))?;
        let search = Self { queue };
        search.warm();
        Ok(search)
    }

    /// Finds the client whose key opens the request, and hands the request back.
    pub(crate) async fn find(&self, request: Request) -> Result<(Request, Option<Arc<Entry>>), Full> {
        let (answer, found) = oneshot::channel();
        match self.queue.try_send(Task::Find(Box::new(request), answer)) {
            Ok(()) => found.await.map(|(request, entry)| (*request, entry)).map_err(|_| Full),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Full),
        }
    }

    /// Derives the keys of new clients in the background; skipped when the queue is full, since searches do it too.
    pub(crate) fn warm(&self) {
        let _skipped = self.queue.try_send(Task::Warm);
    }
}

fn work(tasks: &Receiver<Task>, server: &PrivateKey, directory: &ArcSwap<Directory>) {
    while let Ok(task) = tasks.recv() {
        let directory = directory.load();
        let clients = directory.classic();
        match task {
            Task::Find(request, answer) => {
                let found = clients.iter().find(|entry| request.opens_with(entry.box_key(server)));
                let _caller_gone = answer.send((request, found.cloned()));
            }
            Task::Warm => clients.iter().for_each(|entry| {
                entry.box_key(server);
            }),
        }
    }
}
