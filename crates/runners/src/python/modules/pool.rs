//! Which worker a call goes to, and what becomes of calls and workers when one dies.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use msp_core::{Job, RunError};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::config::PythonConfig;
use super::generation::Generation;
use super::serving::{Call, serve};
use crate::python::process::{Process, after, pause};
use crate::reply::{Outcome, Reply};
use crate::tasks::{Tasks, stopped};

/// The index of ordinary calls where they stand beside asynchronous ones.
const ORDINARY: usize = 0;
/// Calls that may wait for a worker; one more is `busy`.
const QUEUE_LIMIT: usize = 1024;
/// Ordinary calls one worker has at a time: one runs, one waits for it without a round trip between them.
const IN_FLIGHT: usize = 2;
/// Asynchronous calls one worker has at a time.
const IN_FLIGHT_ASYNC: usize = 64;
/// How often a call whose worker died before it started is given to another.
const RETRIES: u8 = 2;

/// The workers of one set of demands, as those see them who have a call for one.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    events: UnboundedSender<Event>,
    queue_permits: Arc<Semaphore>,
}

impl Pool {
    /// Starts the dispatcher; workers start with the first generation.
    pub(super) fn start(config: Arc<PythonConfig>, tasks: &Arc<Tasks>) -> Self {
        let (events, inbox) = mpsc::unbounded_channel();
        let context = Arc::new(PoolContext {
            config,
            tasks: tasks.clone(),
            events: events.clone(),
            keys: AtomicU64::new(0),
        });
        tasks.spawn(dispatch(context, inbox));
        Self { events, queue_permits: Arc::new(Semaphore::new(QUEUE_LIMIT)) }
    }

    /// Queues a call; its outcome comes through the receiver.
    pub(super) fn submit(
        &self,
        module: &Arc<str>,
        job: Job,
        frame: Arc<Vec<u8>>,
    ) -> Result<Outcome<Value>, RunError> {
        let permit = self.queue_permits.clone().try_acquire_owned().map_err(|_| RunError::Busy)?;
        let (reply, outcome) = Reply::new(job);
        let call = Call {
            module: module.clone(),
            frame,
            reply,
            queue_permit: Some(permit),
            expires: None,
            lost_workers: 0,
            slow: false,
        };
        self.events.send(Event::Submitted(call)).map_err(|_| stopped())?;
        Ok(outcome)
    }

    /// Lets a generation take over, with its first worker; the workers of the one before end when they have
    /// answered what they have.
    pub(super) fn switch(&self, generation: Arc<Generation>, first: Option<Process>) {
        // Fails only when all has been stopped; then the worker ends here.
        let _stopped = self.events.send(Event::Switched(generation, first.map(Box::new)));
    }
}

#[derive(Debug)]
enum Event {
    Answered { key: u64, asynchronous: bool, slow: bool },
    Gone { key: u64, unstarted: Vec<Call> },
    Ready { key: u64, generation: Arc<Generation>, calls: UnboundedSender<Call> },
    Submitted(Call),
    Switched(Arc<Generation>, Option<Box<Process>>),
}

/// What the dispatcher and the supervisors share.
struct PoolContext {
    config: Arc<PythonConfig>,
    tasks: Arc<Tasks>,
    events: UnboundedSender<Event>,
    keys: AtomicU64,
}

async fn dispatch(context: Arc<PoolContext>, mut events: UnboundedReceiver<Event>) {
    let mut dispatcher = Dispatcher {
        context,
        generation: Arc::default(),
        workers: Vec::new(),
        waiting: [VecDeque::new(), VecDeque::new()],
    };
    let mut second = interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(event) => dispatcher.take(event),
                None => return,
            },
            now = second.tick(), if dispatcher.is_waiting() => dispatcher.expire(now),
        }
        dispatcher.assign();
    }
}

/// A worker of the current generation, and the calls it has: ordinary and asynchronous.
struct PoolWorker {
    key: u64,
    calls: UnboundedSender<Call>,
    load: [usize; 2],
    /// How many of the ordinary ones are slow.
    slow: usize,
}

impl PoolWorker {
    /// Whether it may have one more call of this kind. No call waits in a worker for a slow ordinary one.
    fn has_room(&self, kind: usize, most: usize) -> bool {
        let load = self.load.get(kind).copied().unwrap_or(most);
        load < most && (kind != ORDINARY || self.slow == 0)
    }

    /// Its calls of this kind, and all: the worker with the least gets the next one.
    fn load_of(&self, kind: usize) -> (usize, usize) {
        (self.load.get(kind).copied().unwrap_or_default(), self.load.iter().sum())
    }
}

struct Dispatcher {
    context: Arc<PoolContext>,
    generation: Arc<Generation>,
    workers: Vec<PoolWorker>,
    /// Ordinary and asynchronous calls that no worker has yet.
    waiting: [VecDeque<Call>; 2],
}

impl Dispatcher {
    fn take(&mut self, event: Event) {
        match event {
            Event::Answered { key, asynchronous, slow } => {
                let Some(worker) = self.workers.iter_mut().find(|worker| worker.key == key) else { return };
                if let Some(load) = worker.load.get_mut(usize::from(asynchronous)) {
                    *load = load.saturating_sub(1);
                }
                worker.slow = worker.slow.saturating_sub(usize::from(slow));
            }
            Event::Gone { key, unstarted } => {
                self.workers.retain(|worker| worker.key != key);
                // From the last to the first, each to the front: they keep their order, ahead of later ones.
                for call in unstarted.into_iter().rev() {
                    self.requeue(call);
                }
            }
            Event::Ready { key, generation, calls } => {
                if Arc::ptr_eq(&generation, &self.generation) {
                    self.workers.push(PoolWorker { key, calls, load: [0, 0], slow: 0 });
                }
            }
            Event::Submitted(mut call) => {
                call.expires = Some(after(call.reply.job.limits.timeout));
                self.enqueue(call, VecDeque::push_back);
            }
            Event::Switched(generation, first) => self.switch(generation, first.map(|worker| *worker)),
        }
    }

    /// Has a call wait for another worker, before later ones.
    fn requeue(&mut self, mut call: Call) {
        call.lost_workers += 1;
        if call.lost_workers > RETRIES {
            call.reply.finish(Err(RunError::Failed("its workers died before it could start".into())));
        } else {
            call.expires = Some(after(call.reply.job.limits.timeout));
            self.enqueue(call, VecDeque::push_front);
        }
    }

    fn enqueue(&mut self, call: Call, push: impl Fn(&mut VecDeque<Call>, Call)) {
        let [ordinary, asynchronous] = &mut self.waiting;
        match self.generation.module(&call.module) {
            None => call.reply.finish(Err(RunError::Failed("its module is listed no longer".into()))),
            Some(module) if module.asynchronous => push(asynchronous, call),
            Some(_) => push(ordinary, call),
        }
    }

    /// The workers of the generation before lose the channel of their calls, and so end.
    fn switch(&mut self, generation: Arc<Generation>, mut first: Option<Process>) {
        self.generation = generation;
        self.workers.clear();
        for call in std::mem::take(&mut self.waiting).into_iter().flatten() {
            self.enqueue(call, VecDeque::push_back);
        }
        if !self.generation.is_empty() {
            for _ in 0..self.context.config.workers.max(1) {
                self.context.tasks.spawn(supervise(
                    self.context.clone(),
                    Arc::downgrade(&self.generation),
                    first.take(),
                ));
            }
        }
    }

    fn is_waiting(&self) -> bool {
        self.waiting.iter().any(|queue| !queue.is_empty())
    }

    /// Refuses the calls that have waited as long as they might have run.
    fn expire(&mut self, now: Instant) {
        for queue in &mut self.waiting {
            for call in std::mem::take(queue) {
                if call.expires.is_some_and(|until| until <= now) {
                    call.reply.finish(Err(RunError::Busy));
                } else if !call.reply.is_abandoned() {
                    queue.push_back(call);
                }
            }
        }
    }

    /// Assigns waiting calls to the workers with the fewest calls.
    fn assign(&mut self) {
        for (kind, (queue, most)) in self.waiting.iter_mut().zip([IN_FLIGHT, IN_FLIGHT_ASYNC]).enumerate() {
            while let Some(mut call) = queue.pop_front() {
                if call.reply.is_abandoned() {
                    continue;
                }
                let free = self.workers.iter_mut().filter(|worker| worker.has_room(kind, most));
                let Some(worker) = free.min_by_key(|worker| worker.load_of(kind)) else {
                    queue.push_front(call);
                    break;
                };
                call.queue_permit = None;
                call.slow = kind == ORDINARY && self.generation.is_slow(&call.module);
                let slow = call.slow;
                if let Err(back) = worker.calls.send(call) {
                    // The worker has just gone; its end is about to be reported.
                    queue.push_front(back.0);
                    let key = worker.key;
                    self.workers.retain(|worker| worker.key != key);
                } else if let Some(load) = worker.load.get_mut(kind) {
                    *load += 1;
                    worker.slow += usize::from(slow);
                }
            }
        }
    }
}

/// Keeps one worker of a generation running, until the generation has been replaced.
async fn supervise(context: Arc<PoolContext>, generation: Weak<Generation>, mut ready: Option<Process>) {
    let mut failures = 0;
    loop {
        sleep(pause(failures)).await;
        let Some(generation) = generation.upgrade() else { return };
        let started = match ready.take() {
            Some(worker) => Ok(worker),
            None => generation.start_worker(&context.config).await,
        };
        let worker = match started {
            Ok(worker) => worker,
            Err(error) => {
                failures += 1;
                tracing::error!("{error}; the next try is in {} ms", pause(failures).as_millis());
                continue;
            }
        };
        let key = context.keys.fetch_add(1, Ordering::Relaxed);
        let (sender, calls) = mpsc::unbounded_channel();
        let _ready = context.events.send(Event::Ready { key, generation: generation.clone(), calls: sender });
        let answered = |asynchronous, slow| {
            let _noted = context.events.send(Event::Answered { key, asynchronous, slow });
        };
        let ended = serve(worker, generation, calls, answered).await;
        let _gone = context.events.send(Event::Gone { key, unstarted: ended.unstarted });
        let Some(reason) = ended.reason else { return };
        // A worker that a call has ended can do its work; one that ends by itself might do so for ever.
        failures = if ended.answered { 0 } else { failures + u32::from(!ended.running) };
        tracing::warn!(
            "a Python worker is gone: {reason}; another starts in {} ms",
            pause(failures).as_millis()
        );
    }
}

#[cfg(test)]
mod tests;
