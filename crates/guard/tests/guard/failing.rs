//! A registry that cannot be written: requests above the mark are refused, and nothing opens.

use msp_core::{Rejection, Replay as _};
use msp_guard::MemoryGuardConfig;

use msp_testkit::suites::guard::{START, envelope, key};

use crate::support::{World, Writes};

#[tokio::test]
async fn a_request_above_a_mark_that_cannot_be_written_is_refused_and_accepted_once_it_can() {
    let world = World::new().await;
    world.store.set(Writes::Fail);
    assert_eq!(world.send(1, START).await, Err(Rejection::Unavailable));
    assert_eq!(world.guard.admit(envelope(1, 2, START + 20)).await, Err(Rejection::Unavailable));
    assert_eq!((world.guard.status().entries, world.guard.status().mark_failing), (0, true));

    world.store.set(Writes::Work);

    assert_eq!(world.send(1, START).await, Ok(()));
    assert_eq!(world.send(1, START).await, Err(Rejection::Replayed));
    assert!(!world.guard.status().mark_failing);
}

#[tokio::test]
async fn refused_requests_take_nothing_of_their_callers_share() {
    let world = World::with(MemoryGuardConfig { max_entries: 64, ..MemoryGuardConfig::default() }).await;
    world.store.set(Writes::Fail);
    for n in 0..10 {
        assert_eq!(world.send(n, START).await, Err(Rejection::Unavailable));
    }
    world.store.set(Writes::Work);

    for n in 0..4 {
        assert_eq!(world.send(n, START).await, Ok(()));
    }
    assert_eq!(world.send(4, START).await, Err(Rejection::Full));
}

#[tokio::test]
async fn requests_under_the_mark_go_on_while_it_cannot_be_raised() {
    let world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.store.set(Writes::Fail);
    world.clock.set_unix(START + 2);

    assert_eq!(world.send(2, START + 2).await, Ok(()));
    assert_eq!(world.send(3, START + 3).await, Err(Rejection::Unavailable));
}

#[tokio::test]
async fn a_tick_finds_out_that_writing_works_again_without_any_call() {
    let world = World::new().await;
    world.store.set(Writes::Fail);
    assert_eq!(world.send(1, START).await, Err(Rejection::Unavailable));
    world.pass(1).await;
    world.pass(1).await;
    assert!(world.guard.status().mark_failing);

    world.store.set(Writes::Work);
    world.pass(1).await;

    assert!(!world.guard.status().mark_failing);
    let count = world.store.count();
    world.pass(1).await;
    assert_eq!(world.store.count(), count);
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_opens_nothing() {
    let mut world = World::new().await;
    world.store.set(Writes::FailThoughWritten);
    assert_eq!(world.send(1, START).await, Err(Rejection::Unavailable));
    assert!(matches!(world.send(2, START + 40).await, Err(Rejection::TooNew { .. })));
    world.store.set(Writes::Work);
    world.pass(10).await;
    assert_eq!(world.store.marks().ahead.len(), 1, "written twice, kept once");

    assert_eq!(world.send(1, START).await, Ok(()));

    world.crash().await;
    assert!(matches!(world.send(1, START).await, Err(Rejection::BelowFloor { .. })));
    assert_eq!(world.send(2, START + 40).await, Err(Rejection::Replayed));
}

#[tokio::test]
async fn a_request_ahead_that_cannot_be_kept_is_refused_for_good_and_kept_later() {
    let mut world = World::new().await;
    world.store.set(Writes::Fail);
    let answer = world.send(1, START + 40).await;
    assert_eq!(answer, Err(Rejection::TooNew { not_before: START, tell: true }));
    assert!(world.guard.status().mark_failing);
    world.pass(15).await;
    assert_eq!(world.send(1, START + 40).await, Err(Rejection::Replayed));

    world.store.set(Writes::Work);
    world.pass(1).await;

    assert!(!world.guard.status().mark_failing);
    world.crash().await;
    assert_eq!(world.send(1, START + 40).await, Err(Rejection::Replayed));
}

#[tokio::test]
async fn a_client_bound_to_later_times_is_bound_at_once_and_durably_later() {
    let mut world = World::new().await;
    for n in 0..64 {
        assert!(world.send(n, START + 40).await.is_err());
    }
    world.store.set(Writes::Fail);
    assert!(matches!(world.send(64, START + 50).await, Err(Rejection::TooNew { .. })));
    assert!(matches!(world.send(65, START).await, Err(Rejection::BelowFloor { .. })));

    world.store.set(Writes::Work);
    world.pass(1).await;

    assert_eq!(world.store.marks().clients, [(key(1), START + 50)]);
    world.crash().await;
    assert!(matches!(world.send(65, START).await, Err(Rejection::BelowFloor { .. })));
}

#[tokio::test]
async fn what_is_owed_for_long_does_not_pile_up() {
    let world = World::new().await;
    world.store.set(Writes::Fail);
    for round in 0..20 {
        for n in 0..64 {
            let now = START + round * 100;
            assert!(matches!(world.send(round * 64 + n, now + 40).await, Err(Rejection::TooNew { .. })));
        }
        world.pass(100).await;
    }
    assert_eq!(world.guard.status().entries, 0);

    world.store.set(Writes::Work);
    world.pass(1).await;

    assert!(world.store.marks().ahead.is_empty());
    assert!(world.store.largest_keep() <= 2 * 64, "{}", world.store.largest_keep());
    assert!(!world.guard.status().mark_failing);
}

#[tokio::test]
async fn a_stop_that_cannot_write_leaves_the_mark_ahead() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.store.set(Writes::Fail);
    assert!(world.guard.close().await.is_err());
    world.store.set(Writes::Work);

    world.crash().await;

    assert_eq!(world.guard.status().floor, START + 2);
}

#[tokio::test]
async fn a_stop_does_not_raise_the_mark_for_what_was_never_accepted() {
    let world = World::new().await;
    world.store.set(Writes::Fail);
    assert_eq!(world.send(1, START + 1).await, Err(Rejection::Unavailable));
    world.store.set(Writes::Work);

    world.guard.close().await.unwrap();

    assert_eq!(world.store.marks().accepted_until, 0);
}
