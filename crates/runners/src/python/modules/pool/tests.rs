use msp_core::FunctionLimits;

use super::*;
use crate::isolation::Isolation;
use crate::python::modules::config::Demands;

fn dispatcher(modules: &[(&str, bool)]) -> Dispatcher {
    let config = PythonConfig {
        python: Arc::default(),
        workers: 1,
        isolation: Isolation::idle(),
        demands: Demands::default(),
    };
    let (events, _) = mpsc::unbounded_channel();
    let tasks = Arc::new(Tasks::on_this_runtime());
    let context = PoolContext { config: Arc::new(config), tasks, events, keys: AtomicU64::new(0) };
    let generation = Arc::new(Generation::of(modules));
    Dispatcher { context: Arc::new(context), generation, workers: Vec::new(), waiting: Default::default() }
}

fn call(module: &str) -> (Call, Outcome<Value>) {
    let job = crate::test_job(FunctionLimits::default());
    let (reply, outcome) = Reply::new(job);
    let frame = Arc::default();
    (
        Call {
            module: module.into(),
            frame,
            reply,
            queue_permit: None,
            expires: None,
            lost_workers: 0,
            slow: false,
        },
        outcome,
    )
}

fn worker(dispatcher: &mut Dispatcher, key: u64) -> UnboundedReceiver<Call> {
    let (calls, receiver) = mpsc::unbounded_channel();
    let generation = dispatcher.generation.clone();
    dispatcher.take(Event::Ready { key, generation, calls });
    receiver
}

fn submit(dispatcher: &mut Dispatcher, module: &str) -> Outcome<Value> {
    let (call, outcome) = call(module);
    dispatcher.take(Event::Submitted(call));
    dispatcher.assign();
    outcome
}

fn count(receiver: &UnboundedReceiver<Call>) -> usize {
    receiver.len()
}

#[tokio::test]
async fn calls_go_to_the_worker_with_the_least_to_do_and_two_at_most_to_each() {
    let mut dispatcher = dispatcher(&[("m", false)]);
    let workers = [worker(&mut dispatcher, 1), worker(&mut dispatcher, 2)];
    let _outcomes: Vec<_> = (0..5).map(|_| submit(&mut dispatcher, "m")).collect();
    assert_eq!(workers.each_ref().map(count), [2, 2]);
    assert!(dispatcher.is_waiting());
    dispatcher.take(Event::Answered { key: 2, asynchronous: false, slow: false });
    dispatcher.assign();
    assert_eq!(workers.each_ref().map(count), [2, 3]);
    assert!(!dispatcher.is_waiting());
}

#[tokio::test]
async fn nothing_is_put_behind_a_call_that_usually_takes_long() {
    let mut dispatcher = dispatcher(&[("m", false), ("s", false)]);
    for _ in 0..8 {
        dispatcher.generation.record_duration("m", Duration::from_micros(50));
        dispatcher.generation.record_duration("s", Duration::from_millis(20));
    }
    let workers = [worker(&mut dispatcher, 1), worker(&mut dispatcher, 2)];
    let _outcomes: Vec<_> = ["s", "m", "m", "m"].map(|name| submit(&mut dispatcher, name)).into();
    assert_eq!(workers.each_ref().map(count), [1, 2]);
    assert!(dispatcher.is_waiting());
    dispatcher.take(Event::Answered { key: 1, asynchronous: false, slow: true });
    dispatcher.assign();
    assert_eq!(workers.each_ref().map(count), [2, 2]);
}

#[tokio::test]
async fn asynchronous_calls_pass_the_ordinary_ones_that_wait() {
    let mut dispatcher = dispatcher(&[("m", false), ("a", true)]);
    let worker = worker(&mut dispatcher, 1);
    let _ordinary: Vec<_> = (0..3).map(|_| submit(&mut dispatcher, "m")).collect();
    let _asynchronous: Vec<_> = (0..65).map(|_| submit(&mut dispatcher, "a")).collect();
    assert_eq!(count(&worker), 2 + 64);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_a_worker_is_forgotten_with_its_caller() {
    let mut dispatcher = dispatcher(&[("m", false)]);
    let outcomes: Vec<_> = (0..3).map(|_| submit(&mut dispatcher, "m")).collect();
    let [first, second, third] = outcomes.try_into().unwrap();
    drop(second);
    dispatcher.expire(after(Duration::ZERO));
    assert_eq!(dispatcher.waiting.iter().map(VecDeque::len).sum::<usize>(), 2, "within a second");
    drop(third);
    let worker = worker(&mut dispatcher, 1);
    dispatcher.assign();
    assert_eq!(count(&worker), 1);
    assert!(!dispatcher.is_waiting());
    drop(first);
}

#[tokio::test]
async fn a_call_whose_workers_die_before_it_starts_is_given_up_after_the_third() {
    let mut dispatcher = dispatcher(&[("m", false)]);
    let mut outcome = submit(&mut dispatcher, "m");
    for key in 1..=3 {
        assert!(outcome.try_recv().is_err(), "it still waits");
        let mut worker = worker(&mut dispatcher, key);
        dispatcher.assign();
        let unstarted = vec![worker.try_recv().unwrap()];
        dispatcher.take(Event::Gone { key, unstarted });
    }
    assert!(matches!(outcome.try_recv(), Ok(Err(RunError::Failed(_)))));
    assert!(dispatcher.workers.is_empty());
}

#[tokio::test]
async fn a_call_to_a_worker_that_has_just_gone_waits_for_another() {
    let mut dispatcher = dispatcher(&[("m", false)]);
    drop(worker(&mut dispatcher, 1));
    let _outcome = submit(&mut dispatcher, "m");
    assert!(dispatcher.is_waiting() && dispatcher.workers.is_empty());
    let worker = worker(&mut dispatcher, 2);
    dispatcher.assign();
    assert_eq!(count(&worker), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_has_waited_as_long_as_it_might_have_run_is_refused() {
    let mut dispatcher = dispatcher(&[("m", false)]);
    let mut outcome = submit(&mut dispatcher, "m");
    let limit = FunctionLimits::default().timeout;
    dispatcher.expire(after(limit - Duration::from_secs(1)));
    assert!(outcome.try_recv().is_err());
    dispatcher.expire(after(limit));
    assert_eq!(outcome.try_recv().unwrap(), Err(RunError::Busy));
}

#[tokio::test]
async fn a_worker_of_a_generation_before_gets_no_calls() {
    let mut dispatcher = dispatcher(&[("m", false)]);
    let old = dispatcher.generation.clone();
    let worker = worker(&mut dispatcher, 1);
    dispatcher.take(Event::Switched(Arc::new(Generation::of(&[])), None));
    assert!(worker.is_closed(), "it is told that no call comes any more");
    let (calls, late) = mpsc::unbounded_channel();
    dispatcher.take(Event::Ready { key: 2, generation: old, calls });
    assert!(late.is_closed());
    let mut outcome = submit(&mut dispatcher, "m");
    assert!(matches!(outcome.try_recv(), Ok(Err(RunError::Failed(_)))));
}
