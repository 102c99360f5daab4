//! Clocks that jump and a TTL that changes: what is forgotten stays refused.

use msp_core::{Rejection, Replay as _};

use msp_testkit::suites::guard::START;

use crate::support::World;

#[tokio::test]
async fn what_is_forgotten_lies_below_the_floor_when_the_clock_goes_back() {
    let world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    assert_eq!(world.send(2, START + 5).await, Ok(()));
    world.pass(36).await;
    assert_eq!((world.guard.status().entries, world.guard.status().floor), (1, START));

    world.clock.set_unix(START);

    let below = Rejection::BelowFloor { not_before: START + 1, tell: true };
    assert_eq!(world.send(1, START).await, Err(below));
    assert_eq!(world.send(2, START + 5).await, Err(Rejection::Replayed));
    assert_eq!(world.send(3, START + 1).await, Ok(()));
}

#[tokio::test]
async fn a_clock_that_was_a_day_ahead_leaves_a_floor_there_after_a_start() {
    let mut world = World::new().await;
    let day = 24 * 60 * 60;
    world.clock.set_unix(START + day);
    assert_eq!(world.send(1, START + day).await, Ok(()));
    world.clock.set_unix(START);
    assert_eq!(world.send(2, START).await, Ok(()));

    world.restart().await;

    assert_eq!(world.guard.status().floor, START + day);
    assert!(matches!(world.send(3, START + 1).await, Err(Rejection::BelowFloor { .. })));
}

#[tokio::test]
async fn what_was_accepted_under_a_mark_from_before_the_clock_went_back_lies_under_it_after_a_stop() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.clock.set_unix(START - 20);
    assert_eq!(world.send(2, START + 2).await, Ok(()));
    assert_eq!(world.store.count(), 1);

    world.restart().await;

    assert!(matches!(world.send(2, START + 2).await, Err(Rejection::BelowFloor { .. })));
    assert_eq!(world.send(3, START + 3).await, Ok(()));
}

#[tokio::test]
async fn a_shortened_and_lengthened_ttl_reopens_nothing() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.set_ttl(5).await;
    world.pass(8).await;
    assert_eq!(world.guard.status().entries, 0);

    world.set_ttl(300).await;

    assert!(matches!(world.send(1, START).await, Err(Rejection::BelowFloor { .. })));
    assert_eq!(world.send(2, START + 1).await, Ok(()));
}

#[tokio::test]
async fn forgetting_goes_on_without_ticks() {
    let world = World::new().await;
    for n in 0..100 {
        assert_eq!(world.send(n, START).await, Ok(()));
    }
    world.clock.set_unix(START + 33);

    for n in 100..110 {
        assert_eq!(world.send(n, START + 33).await, Ok(()));
    }

    assert_eq!(world.guard.status().entries, 10);
}

#[tokio::test]
async fn a_start_below_the_floor_tells_when_it_will_accept() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START + 2).await, Ok(()));
    world.crash().await;

    let not_before = START + 3;
    assert_eq!(world.send(2, START - 31).await, Err(Rejection::TooOld { not_before, tell: true }));
    assert_eq!(world.send(3, START + 31).await, Err(Rejection::TooNew { not_before, tell: true }));
    assert_eq!(world.send(4, START).await, Err(Rejection::BelowFloor { not_before, tell: true }));
}
