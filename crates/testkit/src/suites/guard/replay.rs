//! An accepted request is never accepted again, and which times are accepted at all.

use msp_core::{Admission, Rejection};
use msp_protocol::{Digest, UnixSecond};

use super::{GuardLimits, GuardStand, START, classic, envelope, item, key};

/// Sends an envelope of client 1.
async fn send(stand: &impl GuardStand, n: u64, ts: UnixSecond) -> Result<(), Rejection> {
    admit(stand, envelope(1, n, ts)).await
}

async fn admit(stand: &impl GuardStand, request: Admission) -> Result<(), Rejection> {
    stand.guard().replay.admit(request).await
}

fn small(max_entries: usize, caller_share: f64) -> GuardLimits {
    GuardLimits { max_entries, caller_share, ..GuardLimits::default() }
}

pub async fn share_point_06_times_up_to_the_ttl_are_accepted_on_both_sides_and_none_beyond<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let outside = |too_old| match too_old {
        true => Err(Rejection::TooOld { not_before: START, tell: true }),
        false => Err(Rejection::TooNew { not_before: START, tell: true }),
    };
    assert_eq!(send(&stand, 1, START - 30).await, Ok(()));
    assert_eq!(send(&stand, 2, START + 30).await, Ok(()));
    assert_eq!(send(&stand, 3, START - 31).await, outside(true));
    assert_eq!(send(&stand, 4, START + 31).await, outside(false));
}

pub async fn share_point_10_a_second_sending_is_refused_for_as_long_as_its_time_could_be_accepted<
    G: GuardStand,
>() {
    let stand = G::start(GuardLimits::default()).await;
    assert_eq!(send(&stand, 1, START + 30).await, Ok(()));
    for _ in 0..62 {
        assert_eq!(send(&stand, 1, START + 30).await, Err(Rejection::Replayed));
        stand.pass(1).await;
    }
    stand.pass(1).await;
    assert!(matches!(send(&stand, 1, START + 30).await, Err(Rejection::TooOld { .. })));
}

pub async fn share_point_11_a_request_with_one_part_of_an_accepted_one_is_refused<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    assert_eq!(admit(&stand, classic(1, 0, START)).await, Ok(()));
    for part in 0..4 {
        let mut mixed = classic(1, 7 + part, START + 1);
        mixed.items[2] = item(part);
        assert_eq!(admit(&stand, mixed).await, Err(Rejection::Replayed));
    }
}

pub async fn share_point_32_a_request_accepted_before_a_crash_is_refused_after_it<G: GuardStand>() {
    let mut stand = G::start(GuardLimits::default()).await;
    assert_eq!(send(&stand, 1, START).await, Ok(()));
    assert_eq!(admit(&stand, envelope(2, 2, START + 20)).await, Ok(()));
    stand.crash().await;
    for _ in 0..60 {
        assert!(send(&stand, 1, START).await.is_err());
        assert!(admit(&stand, envelope(2, 2, START + 20)).await.is_err());
        stand.pass(1).await;
    }
    assert_eq!(send(&stand, 3, START + 60).await, Ok(()), "others are accepted");
}

pub async fn a_request_that_holds_a_value_twice_or_none_at_all_is_refused<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let mut twice = classic(1, 0, START);
    twice.items[3] = twice.items[0];
    assert_eq!(admit(&stand, twice).await, Err(Rejection::Replayed));
    let empty = Admission { client: key(1), items: Vec::new(), ts: START };
    assert_eq!(admit(&stand, empty).await, Err(Rejection::Replayed));
}

pub async fn a_recorded_accepted_request_draws_no_told_answer_while_it_is_remembered<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    assert_eq!(send(&stand, 1, START).await, Ok(()));
    stand.clock().advance(std::time::Duration::from_secs(32));
    assert_eq!(send(&stand, 1, START).await, Err(Rejection::Replayed));
    let late = Rejection::TooOld { not_before: START + 32, tell: true };
    assert_eq!(send(&stand, 2, START).await, Err(late));
}

pub async fn a_refused_time_is_told_once_and_only_within_a_day<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let day = 24 * 60 * 60;
    let old = |tell| Err(Rejection::TooOld { not_before: START, tell });
    let new = |tell| Err(Rejection::TooNew { not_before: START, tell });
    assert_eq!(send(&stand, 1, START - 40).await, old(true));
    assert_eq!(send(&stand, 1, START - 40).await, old(false));
    assert_eq!(send(&stand, 2, START - day).await, old(true));
    assert_eq!(send(&stand, 3, START - day - 1).await, old(false));
    assert_eq!(send(&stand, 4, START + day).await, new(true));
    assert_eq!(send(&stand, 5, START + day + 1).await, new(false));
}

pub async fn times_at_the_ends_of_the_scale_are_refused_like_others<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let old = Rejection::TooOld { not_before: START, tell: false };
    assert_eq!(send(&stand, 1, 0).await, Err(old));
    for n in 2..200 {
        assert!(matches!(
            send(&stand, n, u64::MAX).await,
            Err(Rejection::TooNew { tell: false, .. } | Rejection::BelowFloor { tell: false, .. })
        ));
    }
    assert_eq!(admit(&stand, envelope(2, 500, START)).await, Ok(()));
}

pub async fn of_many_at_once_one_is_accepted<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let replay = stand.guard().replay;
    let tries = (0..64).map(|_| {
        let replay = replay.clone();
        tokio::spawn(async move { replay.admit(envelope(1, 1, START)).await })
    });
    let mut accepted = 0;
    for tried in tries.collect::<Vec<_>>() {
        match tried.await.unwrap() {
            Ok(()) => accepted += 1,
            Err(rejection) => assert_eq!(rejection, Rejection::Replayed),
        }
    }
    assert_eq!(accepted, 1);
}

pub async fn a_request_refused_as_ahead_is_not_accepted_when_its_time_has_come<G: GuardStand>() {
    let mut stand = G::start(GuardLimits::default()).await;
    let ahead = START + 40;
    assert!(matches!(send(&stand, 1, ahead).await, Err(Rejection::TooNew { .. })));
    for second in 0..72 {
        if second == 20 {
            stand.crash().await;
        }
        assert!(send(&stand, 1, ahead).await.is_err(), "after {second} s");
        stand.pass(1).await;
    }
}

pub async fn a_full_table_refuses_until_entries_are_due_and_forgets_nothing<G: GuardStand>() {
    let stand = G::start(small(8, 1.0)).await;
    assert_eq!(admit(&stand, classic(1, 0, START)).await, Ok(()));
    for n in 100..104 {
        assert_eq!(admit(&stand, envelope(2, n, START)).await, Ok(()));
    }
    assert_eq!(admit(&stand, envelope(3, 200, START)).await, Err(Rejection::Full));
    assert_eq!(admit(&stand, classic(1, 0, START)).await, Err(Rejection::Replayed));
    assert_eq!(admit(&stand, envelope(2, 101, START)).await, Err(Rejection::Replayed));
    stand.pass(100).await;
    assert_eq!(admit(&stand, envelope(3, 200, START + 100)).await, Ok(()));
}

pub async fn one_caller_holds_at_most_its_share_and_the_others_go_on<G: GuardStand>() {
    let stand = G::start(small(160, 1.0 / 16.0)).await;
    for n in 0..10 {
        assert_eq!(admit(&stand, envelope(1, n, START)).await, Ok(()));
    }
    assert_eq!(admit(&stand, envelope(1, 10, START)).await, Err(Rejection::Full));
    assert_eq!(admit(&stand, classic(2, 100, START)).await, Ok(()));
    stand.pass(100).await;
    assert_eq!(admit(&stand, envelope(1, 11, START + 100)).await, Ok(()));
}

pub async fn who_has_no_previous_secret_loses_no_floor<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    assert_eq!(send(&stand, 1, START).await, Ok(()));
    let ended = stand.guard().replay.end_previous_secret(key(1), Digest::of(b"secret")).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(send(&stand, 1, START).await, Err(Rejection::Replayed));
}
