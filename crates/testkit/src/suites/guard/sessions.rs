//! Who is logged in, and for how long.

use std::time::Duration;

use msp_core::{Lifetime, MAX_SESSIONS, MAX_SESSIONS_OF_USER, Session, SessionKind, TooManySessions};
use msp_protocol::Digest;

use super::{GuardLimits, GuardStand, START, key};

const TOKEN: Lifetime = Lifetime { idle: Duration::from_secs(300), whole: None };

fn session(user: u8) -> Session {
    Session { user: key(user), epoch: 7, kind: SessionKind::Token, since: START }
}

pub async fn accounts_07_a_token_lasts_as_long_as_it_is_used<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let sessions = stand.log_ins().sessions;
    sessions.create(&key(1), session(9), TOKEN).await.unwrap();
    for _ in 0..20 {
        stand.pass(299).await;
        assert_eq!(sessions.touch(&key(1)).await, Some(session(9)));
    }
    stand.pass(299).await;
    assert_eq!(sessions.find(&key(1)).await, Some(session(9)), "looking does not use it");
    stand.pass(1).await;
    assert_eq!(sessions.find(&key(1)).await, None);
    assert_eq!(sessions.touch(&key(1)).await, None);
    assert!(!sessions.end(&key(1)).await);
}

pub async fn accounts_07_a_session_has_an_end_however_much_it_is_used<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let sessions = stand.log_ins().sessions;
    let lifetime = Lifetime { idle: Duration::from_secs(1800), whole: Some(Duration::from_secs(12 * 3600)) };
    sessions.create(&key(1), session(9), lifetime).await.unwrap();
    for _ in 0..47 {
        stand.pass(900).await;
        assert!(sessions.touch(&key(1)).await.is_some());
    }
    stand.pass(899).await;
    assert!(sessions.touch(&key(1)).await.is_some());
    stand.pass(1).await;
    assert_eq!(sessions.touch(&key(1)).await, None);
}

pub async fn accounts_08_a_session_is_ended_alone_or_with_all_of_its_user<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let sessions = stand.log_ins().sessions;
    for (id, user) in [(1, 8), (2, 9), (3, 9), (4, 9)] {
        sessions.create(&key(id), session(user), TOKEN).await.unwrap();
    }
    stand.pass(5).await;
    sessions.touch(&key(3)).await;
    let ages: Vec<_> = sessions.all_of(&key(9)).await.iter().map(|(_, idle)| idle.as_secs()).collect();
    assert_eq!(ages, [0, 5, 5]);
    assert!(sessions.end(&key(2)).await);
    assert!(!sessions.end(&key(2)).await);
    assert_eq!(sessions.end_all_of(&key(9), Some(&key(4))).await, 1);
    assert_eq!(sessions.find(&key(3)).await, None);
    assert!(sessions.find(&key(4)).await.is_some());
    assert_eq!(sessions.end_all_of(&key(9), None).await, 1);
    assert_eq!(sessions.end_all_of(&key(9), None).await, 0);
    assert!(sessions.find(&key(1)).await.is_some(), "another user's");
}

pub async fn accounts_08_a_user_has_64_sessions_and_the_one_unused_for_longest_goes<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let sessions = stand.log_ins().sessions;
    for n in 0..MAX_SESSIONS_OF_USER {
        sessions.create(&key(u8::try_from(n).unwrap()), session(9), TOKEN).await.unwrap();
        stand.pass(1).await;
    }
    sessions.touch(&key(0)).await;
    sessions.create(&key(200), session(9), TOKEN).await.unwrap();
    assert_eq!(sessions.find(&key(1)).await, None);
    for id in [0, 2, 200] {
        assert!(sessions.find(&key(id)).await.is_some(), "{id}");
    }
}

pub async fn accounts_08_a_restart_ends_all_sessions<G: GuardStand>() {
    let mut stand = G::start(GuardLimits::default()).await;
    stand.log_ins().sessions.create(&key(1), session(9), TOKEN).await.unwrap();
    stand.crash().await;
    assert_eq!(stand.log_ins().sessions.find(&key(1)).await, None);
}

pub async fn accounts_08_there_are_no_more_sessions_than_may_be<G: GuardStand>() {
    let stand = G::start(GuardLimits::default()).await;
    let sessions = stand.log_ins().sessions;
    let of = |n: usize| Session { user: Digest::of(&(n / 50).to_le_bytes()), ..session(0) };
    for n in 0..MAX_SESSIONS {
        sessions.create(&Digest::of(&n.to_be_bytes()), of(n), TOKEN).await.unwrap();
    }
    assert_eq!(sessions.create(&key(1), session(9), TOKEN).await, Err(TooManySessions));
    stand.clock().advance(TOKEN.idle);
    sessions.create(&key(1), session(9), TOKEN).await.unwrap();
}
