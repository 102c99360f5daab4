//! Many at once: one copy gets through, one write serves all, and a caller who hangs up disturbs nobody.

use msp_core::{Rejection, Replay as _};

use msp_testkit::suites::guard::{START, envelope};

use crate::support::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_racing_copies_exactly_one_is_accepted() {
    let world = World::new().await;
    for n in 0..200 {
        let now = START + n * 3;
        world.clock.set_unix(now);
        let copies: Vec<_> = (0..8)
            .map(|_| {
                let guard = world.guard.clone();
                tokio::spawn(async move { guard.admit(envelope(1, n, now)).await })
            })
            .collect();
        let mut accepted = 0;
        for copy in copies {
            match copy.await.unwrap() {
                Ok(()) => accepted += 1,
                Err(rejection) => assert_eq!(rejection, Rejection::Replayed),
            }
        }
        assert_eq!(accepted, 1, "request {n}");
    }
}

#[tokio::test]
async fn a_copy_that_comes_while_the_first_still_waits_is_refused() {
    let world = World::new().await;
    world.store.hold();
    let first = tokio::spawn({
        let guard = world.guard.clone();
        async move { guard.admit(envelope(1, 1, START)).await }
    });
    while world.store.count() == 0 {
        tokio::task::yield_now().await;
    }

    assert_eq!(world.send(1, START).await, Err(Rejection::Replayed));

    world.store.go_on();
    assert_eq!(first.await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_hundred_requests_that_wait_share_one_write() {
    let world = World::new().await;
    world.store.hold();
    let waiting: Vec<_> = (0..100)
        .map(|n| {
            let guard = world.guard.clone();
            tokio::spawn(async move { guard.admit(envelope(n as u8, n, START + n % 3)).await })
        })
        .collect();
    while world.store.count() == 0 || world.guard.status().entries < 100 {
        tokio::task::yield_now().await;
    }
    world.store.go_on();

    for request in waiting {
        assert_eq!(request.await.unwrap(), Ok(()));
    }

    assert_eq!((world.store.count(), world.store.marks().accepted_until), (1, START + 2));
}

#[tokio::test]
async fn a_caller_who_hangs_up_neither_stops_the_write_nor_reopens_its_request() {
    let world = World::new().await;
    world.store.hold();
    let gone = tokio::spawn({
        let guard = world.guard.clone();
        async move { guard.admit(envelope(1, 1, START)).await }
    });
    while world.store.count() == 0 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    world.store.go_on();

    assert_eq!(world.send(2, START).await, Ok(()));
    assert_eq!(world.store.count(), 1);
    assert_eq!(world.send(1, START).await, Err(Rejection::Replayed));
}

#[tokio::test]
async fn a_request_that_waits_while_the_guard_closes_lies_under_the_mark_it_closes_with() {
    let mut world = World::new().await;
    world.store.hold();
    let waiting = tokio::spawn({
        let guard = world.guard.clone();
        async move { guard.admit(envelope(1, 1, START + 1)).await }
    });
    while world.store.count() == 0 {
        tokio::task::yield_now().await;
    }
    let closing = tokio::spawn({
        let guard = world.guard.clone();
        async move { guard.close().await }
    });
    world.store.go_on();

    assert_eq!(waiting.await.unwrap(), Ok(()));
    closing.await.unwrap().unwrap();
    assert_eq!(world.store.marks().accepted_until, START + 1);
    world.crash().await;
    assert!(matches!(world.send(1, START + 1).await, Err(Rejection::BelowFloor { .. })));
}
