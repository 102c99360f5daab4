//! Marks: what a start refuses, and what writing them costs.

use std::time::Duration;

use msp_core::clock::Clock;
use msp_core::{Rejection, Replay as _};

use msp_testkit::suites::guard::{START, envelope, key};

use crate::support::World;

#[tokio::test]
async fn a_new_registry_has_no_floor() {
    let world = World::new().await;

    assert_eq!((world.guard.status().floor, world.guard.status().accepted_until), (0, 0));
    assert_eq!(world.send(1, START - 30).await, Ok(()));
}

#[tokio::test]
async fn share_point_32_a_request_accepted_before_a_crash_is_refused_after_it() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));

    world.crash().await;

    let below = Rejection::BelowFloor { not_before: START + 3, tell: true };
    assert_eq!(world.send(1, START).await, Err(below));
    world.pass(3).await;
    assert_eq!(world.send(2, START + 3).await, Ok(()));
    assert!(matches!(world.send(1, START).await, Err(Rejection::BelowFloor { tell: false, .. })));
}

#[tokio::test]
async fn a_crash_costs_at_most_three_seconds() {
    let mut world = World::new().await;
    for n in 0..40 {
        world.clock.advance(Duration::from_millis(500));
        world.guard.tick().await;
        assert_eq!(world.send(n, START + n.div_ceil(2)).await, Ok(()));
    }
    let crashed_at = START + 20;
    world.crash().await;

    assert!(world.send(100, crashed_at).await.is_err());
    world.pass(3).await;

    assert_eq!(world.send(101, crashed_at + 3).await, Ok(()));
}

#[tokio::test]
async fn a_graceful_restart_accepts_the_next_second_and_nothing_from_before() {
    let mut world = World::new().await;
    for (n, ts) in [(1, START), (2, START + 1), (3, START - 5)] {
        assert_eq!(world.send(n, ts).await, Ok(()));
    }

    world.restart().await;

    assert_eq!(world.store.marks().accepted_until, START + 1);
    for (n, ts) in [(1, START), (2, START + 1), (3, START - 5)] {
        let below = Rejection::BelowFloor { not_before: START + 2, tell: true };
        assert_eq!(world.send(n, ts).await, Err(below));
    }
    assert_eq!(world.send(4, START + 2).await, Ok(()));
}

#[tokio::test]
async fn a_closed_guard_accepts_nothing_and_does_not_raise_its_mark_again() {
    let world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.guard.close().await.unwrap();

    assert_eq!(world.send(2, START + 1).await, Err(Rejection::Unavailable));
    world.pass(1).await;

    assert_eq!(world.store.marks().accepted_until, START);
    world.guard.close().await.unwrap();
    assert_eq!(world.store.marks().accepted_until, START);
}

#[tokio::test]
async fn stopping_right_after_a_start_keeps_the_mark() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.crash().await;
    let mark = world.store.marks().accepted_until;

    world.restart().await;
    world.restart().await;

    assert_eq!(world.store.marks().accepted_until, mark);
    assert!(matches!(world.send(1, START).await, Err(Rejection::BelowFloor { .. })));
}

#[tokio::test]
async fn after_twenty_restarts_no_accepted_request_is_accepted_again_and_new_ones_are() {
    let mut world = World::new().await;
    let mut accepted = Vec::new();
    for start in 0..20 {
        let mut second = world.guard.status().floor.max(START + 4 * start) + 1;
        world.clock.set_unix(second);
        for n in 0..3 {
            assert_eq!(world.send(start * 10 + n, second).await, Ok(()), "start {start}, request {n}");
            accepted.push((start * 10 + n, second));
            second += n % 2;
        }
        if start % 2 == 0 {
            world.crash().await
        } else {
            world.restart().await
        }
        for &(n, ts) in &accepted {
            assert!(world.send(n, ts).await.is_err(), "request {n} of {ts} after start {start}");
        }
    }
    assert!(world.clock.unix() < START + 20 * 5, "a restart costs more than it should");
}

#[tokio::test]
async fn an_idle_server_writes_nothing() {
    let mut world = World::new().await;
    for _ in 0..200 {
        world.pass(1).await;
    }
    world.restart().await;
    assert_eq!(world.store.count(), 0);

    assert_eq!(world.send(1, START + 200).await, Ok(()));
    world.pass(1).await;
    let after_the_call = world.store.count();
    for _ in 0..200 {
        world.pass(1).await;
    }

    assert_eq!((after_the_call, world.store.count()), (1, 1));
}

#[tokio::test]
async fn while_calls_flow_the_mark_rises_ahead_of_them_every_other_second() {
    let world = World::new().await;
    assert_eq!(world.send(0, START).await, Ok(()));

    for half_second in 1..=40 {
        world.clock.advance(Duration::from_millis(500));
        world.guard.tick().await;
        let before = world.store.count();
        assert_eq!(world.send(half_second, START + half_second / 2).await, Ok(()));
        assert_eq!(world.store.count(), before, "a request had to wait for a write");
        let mark = world.guard.status().accepted_until;
        assert!(mark <= START + half_second / 2 + 2);
        assert_eq!(mark, world.store.marks().accepted_until);
    }

    assert_eq!(world.store.count(), 11);
}

#[tokio::test]
async fn a_client_ahead_raises_its_own_mark_only_and_that_binds_it_after_a_start() {
    let mut world = World::new().await;
    for second in 0..9 {
        assert_eq!(world.guard.admit(envelope(2, second, START + 20 + second)).await, Ok(()));
    }
    assert_eq!(world.store.marks().accepted_until, 0);
    assert_eq!(world.store.marks().clients, [(key(2), START + 28)]);
    assert_eq!(world.store.count(), 3, "a step serves three seconds");

    world.crash().await;

    assert_eq!(world.guard.admit(envelope(1, 100, START)).await, Ok(()));
    let below = Rejection::BelowFloor { not_before: START + 29, tell: true };
    assert_eq!(world.guard.admit(envelope(2, 0, START + 20)).await, Err(below));
    assert_eq!(world.guard.admit(envelope(2, 101, START + 29)).await, Ok(()));
}

#[tokio::test]
async fn a_client_ahead_may_also_send_its_earlier_seconds_before_a_start() {
    let world = World::new().await;

    assert_eq!(world.send(1, START + 25).await, Ok(()));

    assert_eq!(world.send(2, START).await, Ok(()));
    assert_eq!(world.store.count(), 1, "its own mark covers that second too");
}
