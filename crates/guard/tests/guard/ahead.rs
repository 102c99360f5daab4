//! A request refused because its time is ahead never becomes valid.

use msp_core::{Rejection, Replay as _};

use msp_testkit::suites::guard::{START, classic, envelope, item, key};

use crate::support::{World, Writes};

fn too_new(now: u64, tell: bool) -> Result<(), Rejection> {
    Err(Rejection::TooNew { not_before: now, tell })
}

#[tokio::test]
async fn a_request_forty_seconds_ahead_is_told_once_and_stays_refused_when_its_time_comes() {
    let world = World::new().await;
    assert_eq!(world.send(1, START + 40).await, too_new(START, true));
    assert_eq!(world.send(1, START + 40).await, too_new(START, false));
    assert_eq!(world.store.count(), 1, "kept once, not for each copy");

    for _ in 0..10 {
        world.pass(1).await;
    }
    for _ in 0..62 {
        assert_eq!(world.send(1, START + 40).await, Err(Rejection::Replayed));
        world.pass(1).await;
    }
    assert_eq!(world.send(2, START + 72).await, Ok(()), "a request of the right time");
}

#[tokio::test]
async fn a_request_ahead_stays_refused_after_a_crash_and_after_a_graceful_restart() {
    let mut world = World::new().await;
    assert_eq!(world.guard.admit(classic(1, 0, START + 40)).await, too_new(START, true));

    world.crash().await;
    world.pass(20).await;
    assert_eq!(world.guard.admit(classic(1, 0, START + 40)).await, Err(Rejection::Replayed));
    world.restart().await;
    world.pass(20).await;

    let mut mixed = classic(1, 9, START + 40);
    mixed.items[1] = item(3);
    assert_eq!(world.guard.admit(mixed).await, Err(Rejection::Replayed));
    assert_eq!(world.guard.admit(classic(1, 10, START + 40)).await, Ok(()));
}

#[tokio::test]
async fn what_was_kept_is_forgotten_here_and_in_the_registry_once_its_time_has_passed() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START + 40).await, too_new(START, true));
    world.crash().await;
    assert_eq!((world.guard.status().entries, world.store.marks().ahead.len()), (1, 1));

    world.pass(72).await;
    assert_eq!((world.guard.status().entries, world.store.marks().ahead.len()), (1, 1));
    world.pass(1).await;

    assert_eq!((world.guard.status().entries, world.store.marks().ahead.len()), (0, 0));
    let count = world.store.count();
    assert_eq!(world.send(2, START + 73).await, Ok(()));
    assert_eq!(world.store.count(), count + 1, "forgotten once");
}

#[tokio::test]
async fn what_was_kept_stays_refused_after_it_is_forgotten_though_the_clock_goes_back() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START + 40).await, too_new(START, true));
    world.pass(73).await;
    world.clock.set_unix(START + 40);

    assert!(matches!(world.send(1, START + 40).await, Err(Rejection::BelowFloor { .. })));
    assert_eq!(world.guard.admit(envelope(2, 2, START + 40)).await, Ok(()), "others are not bound");
    world.crash().await;
    assert!(matches!(world.send(1, START + 40).await, Err(Rejection::BelowFloor { .. })));
}

#[tokio::test]
async fn what_is_kept_after_the_clock_went_back_is_not_forgotten_with_what_had_passed() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START + 31).await, too_new(START, true));
    world.store.set(Writes::Fail);
    world.pass(100).await;
    world.clock.set_unix(START);
    assert!(world.send(2, START + 60).await.is_err());
    world.store.set(Writes::Work);
    world.pass(1).await;

    world.crash().await;
    world.clock.set_unix(START + 60);

    assert_eq!(world.send(2, START + 60).await, Err(Rejection::Replayed));
}

#[tokio::test]
async fn a_mark_that_a_stop_lowers_does_not_stand_in_for_what_was_kept() {
    let mut world = World::new().await;
    assert_eq!(world.send(1, START + 40).await, too_new(START, true));
    world.clock.set_unix(START + 38);
    assert_eq!(world.guard.admit(envelope(2, 2, START + 38)).await, Ok(()));
    assert_eq!(world.guard.status().accepted_until, START + 40);
    world.pass(35).await;

    world.restart().await;
    world.clock.set_unix(START + 40);

    assert_eq!(world.guard.status().floor, START + 38);
    assert!(matches!(world.send(1, START + 40).await, Err(Rejection::BelowFloor { .. })));
}

#[tokio::test]
async fn the_sixty_fifth_binds_its_client_to_later_times_and_no_other() {
    let mut world = World::new().await;
    for n in 0..64 {
        assert_eq!(world.send(n, START + 100 + n).await, too_new(START, true));
    }

    assert_eq!(world.send(64, START + 500).await, too_new(START, true));

    assert_eq!(world.store.marks().ahead.len(), 64);
    assert_eq!(world.store.marks().clients, [(key(1), START + 500)]);
    for other in 2..4 {
        let below = Rejection::BelowFloor { not_before: START + 501, tell: false };
        assert_eq!(world.send(64, START + 500).await.map_err(untold), Err(below));
        assert_eq!(world.send(65, START).await.map_err(untold), Err(below));
        assert_eq!(world.guard.admit(envelope(other, u64::from(other) * 100, START)).await, Ok(()));
        world.crash().await;
        // Floors of single clients are not the operator's way out of a wrong clock.
        world.store.marks.lock().unwrap().accepted_until = 0;
        world.crash().await;
        world.guard.reset_floor().await.unwrap();
    }
    world.clock.set_unix(START + 500);
    assert!(matches!(world.send(64, START + 500).await, Err(Rejection::BelowFloor { .. })));
    assert_eq!(world.send(70, START + 501).await, Ok(()));
}

fn untold(rejection: Rejection) -> Rejection {
    match rejection {
        Rejection::BelowFloor { not_before, .. } => Rejection::BelowFloor { not_before, tell: false },
        other => other,
    }
}

#[tokio::test]
async fn sixty_four_classic_requests_are_kept_with_all_their_values() {
    let mut world = World::new().await;
    for n in 0..64 {
        assert_eq!(world.guard.admit(classic(1, n, START + 40)).await, too_new(START, true));
    }
    assert_eq!(world.store.marks().ahead.len(), 256);
    world.crash().await;
    assert_eq!(world.guard.status().entries, 256);

    assert_eq!(world.guard.admit(classic(1, 64, START + 41)).await, too_new(START, true));

    assert_eq!(world.store.marks().ahead.len(), 256);
    assert_eq!(world.store.marks().clients, [(key(1), START + 41)]);
}

#[tokio::test]
async fn there_is_room_again_for_a_client_whose_kept_requests_have_passed() {
    let world = World::new().await;
    for n in 0..64 {
        assert_eq!(world.send(n, START + 40).await, too_new(START, true));
    }
    world.pass(73).await;

    assert_eq!(world.send(64, START + 173).await, too_new(START + 73, true));

    assert_eq!(world.store.marks().ahead.len(), 1);
    assert_eq!(world.send(65, START + 73).await, Ok(()));
}

#[tokio::test]
async fn what_binds_a_client_is_lifted_when_its_previous_secret_has_ended() {
    let mut world = World::new().await;
    for n in 0..65 {
        assert!(world.send(n, START + 5000).await.is_err());
    }
    world.pass(31).await;
    assert!(matches!(world.send(65, START + 31).await, Err(Rejection::BelowFloor { .. })));
    *world.store.falls_to.lock().unwrap() = Some((key(9), START + 331));

    world.guard.end_previous_secret(key(1), key(9)).await.unwrap();

    world.pass(31).await;
    assert_eq!(world.send(66, START + 62).await, Ok(()));
    assert!(matches!(world.send(0, START + 5000).await, Err(Rejection::TooNew { tell: false, .. })));
    // The new secret's requests bind it again, and what the registry has of that is known exactly.
    assert!(world.send(67, START + 400).await.is_err());
    assert_eq!(world.store.marks().clients, [(key(1), START + 400)]);
    world.crash().await;
    world.clock.set_unix(START + 400);
    assert!(matches!(world.send(67, START + 400).await, Err(Rejection::BelowFloor { .. })));
}

#[tokio::test]
async fn what_binds_a_client_stays_when_no_secret_has_ended_or_that_cannot_be_written() {
    for (falls_to, writes) in [(None, Writes::Work), (Some((key(9), START + 300)), Writes::Fail)] {
        let mut world = World::new().await;
        for n in 0..65 {
            assert!(world.send(n, START + 5000).await.is_err());
        }
        *world.store.falls_to.lock().unwrap() = falls_to;
        world.store.set(writes);

        let ended = world.guard.end_previous_secret(key(1), key(9)).await;

        assert_eq!(ended.is_ok(), writes == Writes::Work);
        world.store.set(Writes::Work);
        world.clock.set_unix(START + 5000);
        assert!(matches!(world.send(64, START + 5000).await, Err(Rejection::BelowFloor { .. })));
        world.crash().await;
        assert!(matches!(world.send(64, START + 5000).await, Err(Rejection::BelowFloor { .. })));
    }
}
