//! Which worker a call goes to, and what becomes of calls and workers when one dies.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use msp_core::{Job, RunError};
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::attending::after;
use super::generation::Generation;
use super::serving::serve;
use super::worker::Worker;
use super::{Call, PythonConfig};
use crate::tasks::{Tasks, stopped};

/// The place of ordinary calls where they stand beside asynchronous ones.
const ORDINARY: usize = 0;
/// Calls that may wait for a worker; one more is `busy`.
const PLACES: usize = 1024;
/// Ordinary calls one worker has at a time: one runs, one waits for it without a round trip between them.
const AHEAD: usize = 2;
/// Asynchronous calls one worker has at a time.
const AHEAD_ASYNC: usize = 64;
/// How often a call whose worker died before it started is given to another.
const LOSSES: u8 = 2;
/// The longest pause before a worker is started again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The way to the workers.
#[derive(Debug, Clone)]
pub(crate) struct Pool {
    events: UnboundedSender<Event>,
    places: Arc<Semaphore>,
}

impl Pool {
    /// Starts the dispatcher; workers start with the first generation.
    pub(crate) fn start(config: Arc<PythonConfig>, tasks: &Arc<Tasks>) -> Self {
        let (events, inbox) = mpsc::unbounded_channel();
        let context = Arc::new(PoolContext {
            config,
            tasks: tasks.clone(),
            events: events.clone(),
            keys: AtomicU64::new(0),
        });
        tasks.spawn(dispatch(context, inbox));
        Self { events, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// Queues a call; its outcome comes through the receiver.
    pub(super) fn submit(
        &self,
        module: &Arc<str>,
        job: Job,
        question: Arc<Vec<u8>>,
    ) -> Result<oneshot::Receiver<Result<Value, RunError>>, RunError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| RunError::Busy)?;
        let (answer, outcome) = oneshot::channel();
        let call = Call {
            module: module.clone(),
            job,
            question,
            answer,
            place: Some(place),
            patience: None,
            lost: 0,
            slow: false,
        };
        self.events.send(Event::Submitted(call)).map_err(|_| stopped())?;
        Ok(outcome)
    }

    /// Lets a generation take over, with its first worker; the workers of the one before end when they have
    /// answered what they have.
    pub(crate) fn switch(&self, generation: Arc<Generation>, first: Option<Worker>) {
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
    Switched(Arc<Generation>, Option<Box<Worker>>),
}

/// What the dispatcher and the keepers share.
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
        members: Vec::new(),
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
            now = second.tick(), if dispatcher.is_waiting() => dispatcher.lose_patience(now),
        }
        dispatcher.hand_out();
    }
}

/// A worker of the current generation, and the calls it has: ordinary and asynchronous.
struct Member {
    key: u64,
    calls: UnboundedSender<Call>,
    load: [usize; 2],
    /// How many of the ordinary ones are slow.
    slow: usize,
}

impl Member {
    /// Whether it may have one more call of this kind. Nothing is put behind a slow ordinary call.
    fn has_room(&self, kind: usize, ahead: usize) -> bool {
        let load = self.load.get(kind).copied().unwrap_or(ahead);
        load < ahead && (kind != ORDINARY || self.slow == 0)
    }

    /// The less, the sooner it gets the next call of this kind.
    fn weight(&self, kind: usize) -> (usize, usize) {
        (self.load.get(kind).copied().unwrap_or_default(), self.load.iter().sum())
    }
}

struct Dispatcher {
    context: Arc<PoolContext>,
    generation: Arc<Generation>,
    members: Vec<Member>,
    /// Ordinary and asynchronous calls that no worker has yet.
    waiting: [VecDeque<Call>; 2],
}

impl Dispatcher {
    fn take(&mut self, event: Event) {
        match event {
            Event::Answered { key, asynchronous, slow } => {
                let Some(member) = self.members.iter_mut().find(|member| member.key == key) else { return };
                if let Some(load) = member.load.get_mut(usize::from(asynchronous)) {
                    *load = load.saturating_sub(1);
                }
                member.slow = member.slow.saturating_sub(usize::from(slow));
            }
            Event::Gone { key, unstarted } => {
                self.members.retain(|member| member.key != key);
                // From the last to the first, each to the front: they keep their order, ahead of later ones.
                for call in unstarted.into_iter().rev() {
                    self.take_back(call);
                }
            }
            Event::Ready { key, generation, calls } => {
                if Arc::ptr_eq(&generation, &self.generation) {
                    self.members.push(Member { key, calls, load: [0, 0], slow: 0 });
                }
            }
            Event::Submitted(mut call) => {
                call.patience = Some(after(call.job.limits.timeout));
                self.enqueue(call, VecDeque::push_back);
            }
            Event::Switched(generation, first) => self.switch(generation, first.map(|worker| *worker)),
        }
    }

    fn take_back(&mut self, mut call: Call) {
        call.lost += 1;
        if call.lost > LOSSES {
            call.finish(Err(RunError::Failed("its workers died before it could start".into())));
        } else {
            call.patience = Some(after(call.job.limits.timeout));
            self.enqueue(call, VecDeque::push_front);
        }
    }

    fn enqueue(&mut self, call: Call, push: impl Fn(&mut VecDeque<Call>, Call)) {
        let [ordinary, asynchronous] = &mut self.waiting;
        match self.generation.module(&call.module) {
            None => call.finish(Err(RunError::Failed("its module is listed no longer".into()))),
            Some(module) if module.asynchronous => push(asynchronous, call),
            Some(_) => push(ordinary, call),
        }
    }

    /// The workers of the generation before lose their way to get calls, and so end.
    fn switch(&mut self, generation: Arc<Generation>, mut first: Option<Worker>) {
        self.generation = generation;
        self.members.clear();
        for call in std::mem::take(&mut self.waiting).into_iter().flatten() {
            self.enqueue(call, VecDeque::push_back);
        }
        if !self.generation.is_empty() {
            for _ in 0..self.context.config.workers.max(1) {
                self.context.tasks.spawn(keep(
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
    fn lose_patience(&mut self, now: Instant) {
        for queue in &mut self.waiting {
            for call in std::mem::take(queue) {
                if call.patience.is_some_and(|until| until <= now) {
                    call.finish(Err(RunError::Busy));
                } else if !call.answer.is_closed() {
                    queue.push_back(call);
                }
            }
        }
    }

    /// Gives waiting calls to the workers with the least to do.
    fn hand_out(&mut self) {
        for (kind, (queue, ahead)) in self.waiting.iter_mut().zip([AHEAD, AHEAD_ASYNC]).enumerate() {
            while let Some(mut call) = queue.pop_front() {
                if call.answer.is_closed() {
                    // Its caller has gone.
                    continue;
                }
                let free = self.members.iter_mut().filter(|member| member.has_room(kind, ahead));
                let Some(member) = free.min_by_key(|member| member.weight(kind)) else {
                    queue.push_front(call);
                    break;
                };
                call.place = None;
                call.slow = kind == ORDINARY && self.generation.is_slow(&call.module);
                let slow = call.slow;
                if let Err(back) = member.calls.send(call) {
                    // The worker has just gone; its end is about to be reported.
                    queue.push_front(back.0);
                    let key = member.key;
                    self.members.retain(|member| member.key != key);
                } else if let Some(load) = member.load.get_mut(kind) {
                    *load += 1;
                    member.slow += usize::from(slow);
                }
            }
        }
    }
}

/// Keeps one worker of a generation running until the generation has been replaced, and so is gone.
async fn keep(context: Arc<PoolContext>, generation: Weak<Generation>, mut ready: Option<Worker>) {
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

/// The pause before a start, after this many failures in a row: none, 100 ms, then twice as long each time.
pub(super) fn pause(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(doublings) => Duration::from_millis(100 << doublings.min(6)).min(LONGEST_PAUSE),
    }
}

#[cfg(test)]
mod tests;
