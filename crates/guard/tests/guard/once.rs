//! An accepted request is never accepted again, and which times are accepted at all.

use msp_core::{Admission, Rejection, Replay as _};

use crate::support::{START, World, classic, envelope, item, key};

#[tokio::test]
async fn share_point_06_times_up_to_the_ttl_are_accepted_on_both_sides_and_none_beyond() {
    let world = World::new().await;

    assert_eq!(world.send(1, START - 30).await, Ok(()));
    assert_eq!(world.send(2, START + 30).await, Ok(()));
    assert_eq!(world.send(3, START - 31).await, Err(Rejection::TooOld { not_before: START, tell: true }));
    assert_eq!(world.send(4, START + 31).await, Err(Rejection::TooNew { not_before: START, tell: true }));
}

#[tokio::test]
async fn share_point_06_the_ttl_can_change_while_it_runs() {
    let mut world = World::new().await;
    world.set_ttl(10).await;
    assert_eq!(world.send(1, START - 11).await, Err(Rejection::TooOld { not_before: START, tell: true }));

    world.set_ttl(60).await;

    assert_eq!(world.send(2, START - 60).await, Ok(()));
}

#[tokio::test]
async fn share_point_10_a_second_sending_is_refused_for_as_long_as_its_time_could_be_accepted() {
    let world = World::new().await;
    assert_eq!(world.send(1, START + 30).await, Ok(()));

    for _ in 0..62 {
        assert_eq!(world.send(1, START + 30).await, Err(Rejection::Replayed));
        world.pass(1).await;
    }
    assert_eq!(world.guard.status().entries, 1);
    world.pass(1).await;
    assert_eq!(world.guard.status().entries, 0);
    assert!(matches!(world.send(1, START + 30).await, Err(Rejection::TooOld { .. })));
}

#[tokio::test]
async fn share_point_11_a_request_with_one_part_of_an_accepted_one_is_refused() {
    let world = World::new().await;
    assert_eq!(world.guard.admit(classic(1, 0, START)).await, Ok(()));

    for part in 0..4 {
        let mut mixed = classic(1, 7 + part, START + 1);
        mixed.items[2] = item(part);
        assert_eq!(world.guard.admit(mixed).await, Err(Rejection::Replayed));
    }
}

#[tokio::test]
async fn a_request_that_holds_a_value_twice_or_none_at_all_is_refused() {
    let world = World::new().await;
    let mut twice = classic(1, 0, START);
    twice.items[3] = twice.items[0];
    assert_eq!(world.guard.admit(twice).await, Err(Rejection::Replayed));

    let empty = Admission { client: key(1), items: Vec::new(), ts: START };
    assert_eq!(world.guard.admit(empty).await, Err(Rejection::Replayed));
    assert_eq!(world.guard.status().entries, 0);
}

#[tokio::test]
async fn a_recorded_accepted_request_draws_no_told_answer_while_it_is_remembered() {
    let world = World::new().await;
    assert_eq!(world.send(1, START).await, Ok(()));
    world.clock.advance(std::time::Duration::from_secs(32));

    assert_eq!(world.send(1, START).await, Err(Rejection::Replayed));
    assert_eq!(world.send(2, START).await, Err(Rejection::TooOld { not_before: START + 32, tell: true }));
}

#[tokio::test]
async fn a_refused_time_is_told_once_and_only_within_a_day() {
    let world = World::new().await;
    let day = 24 * 60 * 60;

    assert_eq!(world.send(1, START - 40).await, Err(Rejection::TooOld { not_before: START, tell: true }));
    assert_eq!(world.send(1, START - 40).await, Err(Rejection::TooOld { not_before: START, tell: false }));
    assert_eq!(world.send(2, START - day).await, Err(Rejection::TooOld { not_before: START, tell: true }));
    assert_eq!(
        world.send(3, START - day - 1).await,
        Err(Rejection::TooOld { not_before: START, tell: false })
    );
    assert_eq!(world.send(4, START + day).await, Err(Rejection::TooNew { not_before: START, tell: true }));
    assert_eq!(
        world.send(5, START + day + 1).await,
        Err(Rejection::TooNew { not_before: START, tell: false })
    );
}

#[tokio::test]
async fn times_at_the_ends_of_the_scale_are_refused_like_others() {
    let world = World::new().await;

    assert_eq!(world.send(1, 0).await, Err(Rejection::TooOld { not_before: START, tell: false }));
    for n in 2..200 {
        assert!(matches!(
            world.send(n, u64::MAX).await,
            Err(Rejection::TooNew { tell: false, .. } | Rejection::BelowFloor { tell: false, .. })
        ));
    }
    assert!(world.store.marks().ahead.iter().all(|kept| i64::try_from(kept.ts).is_ok()));
    assert!(world.store.marks().clients.iter().all(|(_, mark)| i64::try_from(*mark).is_ok()));
    assert_eq!(world.guard.admit(envelope(2, 500, START)).await, Ok(()));
}
