//! What an operator does: `floor reset`, and a restore.

use msp_core::{KeptAhead, Rejection, Replay as _, StoredMarks};

use msp_testkit::suites::guard::{START, envelope, item, key};

use crate::support::{World, Writes};

#[tokio::test]
async fn a_reset_lowers_floor_and_mark_to_the_clock() {
    let mut world = World::new().await;
    world.store.marks.lock().unwrap().accepted_until = START + 1_000_000;
    world.crash().await;
    assert!(matches!(world.send(1, START + 1).await, Err(Rejection::BelowFloor { .. })));

    world.guard.reset_floor().await.unwrap();

    let status = world.guard.status();
    assert_eq!((status.floor, status.accepted_until), (START, START));
    assert_eq!(world.store.marks().accepted_until, START);
    assert!(matches!(world.send(2, START).await, Err(Rejection::BelowFloor { .. })));
    assert_eq!(world.send(1, START + 1).await, Ok(()));
}

#[tokio::test]
async fn a_reset_reopens_nothing_accepted_near_the_clock() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START + 1).await, Ok(()));
    assert_eq!(world.guard.admit(envelope(2, 2, START + 20)).await, Ok(()));

    world.guard.reset_floor().await.unwrap();
    assert_eq!(world.send(1, START + 1).await, Err(Rejection::Replayed));
    world.crash().await;

    assert!(matches!(world.send(1, START + 1).await, Err(Rejection::BelowFloor { .. })));
    assert!(matches!(world.guard.admit(envelope(2, 2, START + 20)).await, Err(Rejection::BelowFloor { .. })));
    assert_eq!(world.send(3, START + 2).await, Ok(()));
}

#[tokio::test]
async fn a_reset_never_raises_floor_or_mark() {
    let world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.pass(50).await;
    world.pass(50).await;

    world.guard.reset_floor().await.unwrap();

    assert_eq!((world.guard.status().floor, world.guard.status().accepted_until), (START, START + 52));
    assert_eq!(world.send(2, START + 80).await, Ok(()));
}

#[tokio::test]
async fn after_a_reset_the_wrong_clock_is_forgotten() {
    let mut world = World::new().await;
    world.clock.set_unix(START + 1_000_000);
    assert_eq!(world.send(1, START + 1_000_000).await, Ok(()));
    world.clock.set_unix(START);
    world.guard.reset_floor().await.unwrap();
    world.pass(10).await;
    assert_eq!(world.send(2, START + 10).await, Ok(()));

    world.restart().await;

    assert_eq!(world.guard.status().floor, START + 10);
}

#[tokio::test]
async fn a_reset_that_cannot_be_written_leaves_the_floor_and_can_be_repeated() {
    let mut world = World::new().await;
    world.store.marks.lock().unwrap().accepted_until = START + 100;
    world.crash().await;
    world.store.set(Writes::Fail);
    assert!(world.guard.reset_floor().await.is_err());
    assert_eq!(world.guard.status().floor, START + 100);

    world.store.set(Writes::Work);
    world.guard.reset_floor().await.unwrap();

    assert_eq!((world.guard.status().floor, world.store.marks().accepted_until), (START, START));
}

#[tokio::test]
async fn after_a_restore_its_marks_bind_and_what_is_known_here_is_written_again() {
    let mut world = World::new().await;
    assert_eq!(world.guard.admit(envelope(2, 1, START + 20)).await, Ok(()));
    assert!(world.send(2, START + 80).await.is_err());
    let kept = KeptAhead { client: key(4), item: item(3), ts: START + 70 };
    *world.store.marks.lock().unwrap() =
        StoredMarks { accepted_until: START + 30, clients: vec![(key(3), START + 35)], ahead: vec![kept] };

    world.guard.reload_marks().await.unwrap();

    assert_eq!((world.guard.status().floor, world.guard.status().accepted_until), (START + 30, START + 30));
    for _ in 0..2 {
        world.clock.set_unix(START + 31);
        assert!(matches!(world.send(10, START + 30).await, Err(Rejection::BelowFloor { .. })));
        let bound = world.guard.admit(envelope(3, 11, START + 35)).await;
        assert!(matches!(bound, Err(Rejection::BelowFloor { not_before, .. }) if not_before == START + 36));
        assert!(world.guard.admit(envelope(2, 1, START + 20)).await.is_err());
        world.clock.set_unix(START + 60);
        assert_eq!(world.guard.admit(envelope(4, 3, START + 70)).await, Err(Rejection::Replayed));
        assert_eq!(world.send(2, START + 80).await, Err(Rejection::Replayed));
        assert!(world.store.marks().clients.contains(&(key(2), START + 22)));
        world.crash().await;
    }
}

#[tokio::test]
async fn a_restore_that_lowers_the_mark_does_not_uncover_what_was_accepted() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    *world.store.marks.lock().unwrap() =
        StoredMarks { accepted_until: START - 500, ..StoredMarks::default() };

    world.guard.reload_marks().await.unwrap();
    world.crash().await;

    assert!(matches!(world.send(1, START).await, Err(Rejection::BelowFloor { .. })));
}

#[tokio::test]
async fn a_stop_right_after_a_restore_keeps_its_mark() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.store.marks.lock().unwrap().accepted_until = START + 30;
    world.guard.reload_marks().await.unwrap();

    world.restart().await;

    assert_eq!(world.guard.status().floor, START + 30);
}
