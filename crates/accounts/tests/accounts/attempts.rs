//! How attempts are treated after others have failed.

use std::time::Duration;

use futures_util::future::join_all;
use msp_accounts::{AccountsConfig, LogInAnswer, LogInRefusal};
use msp_core::{Passwords as _, RefusedBy};
use msp_protocol::Digest;

use crate::fixture::{Fixture, RIGHT, from, password};

fn blocked_by(result: Result<msp_accounts::Proven, LogInRefusal>) -> Option<RefusedBy> {
    match result {
        Err(LogInRefusal::Blocked { by, .. }) => Some(by),
        _ => None,
    }
}

#[tokio::test]
async fn accounts_10_five_failures_close_a_public_address_to_passwords_and_no_private_one() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let token = fixture.token("kim", "backup", None).await;
    for n in 0..5 {
        for address in ["203.0.113.7", "10.0.0.7", "127.0.0.1"] {
            let refused = fixture.log_in_from(&format!("nobody{n}-{address}"), "wrong", address).await;
            assert_eq!(refused.unwrap_err().answer(), LogInAnswer::No);
        }
    }
    let refusal = fixture.log_in("kim", RIGHT).await.unwrap_err();
    let lasts = Duration::from_secs(3600);
    assert_eq!(refusal, LogInRefusal::Blocked { by: RefusedBy::Address, retry_after: lasts });
    assert!(fixture.log_in_from("kim", RIGHT, "10.0.0.7").await.is_ok());
    assert!(fixture.log_in_from("kim", RIGHT, "127.0.0.1").await.is_ok());
    assert!(fixture.accounts.by_token(token.as_bytes(), "203.0.113.7".parse().unwrap()).await.is_ok());
    fixture.clock.advance(lasts);
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
}

#[tokio::test]
async fn accounts_11_who_guesses_a_known_name_locks_no_owner_out() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    fixture.log_in_from("kim", RIGHT, "198.51.100.5").await.unwrap();
    fixture.clock.advance(Duration::from_secs(600));
    // A botnet: each address fails once, so none of them is closed.
    for n in 0..20 {
        let refused = fixture.log_in_from("kim", "wrong", &format!("203.0.{n}.7")).await;
        match n {
            0..5 => assert_eq!(refused.unwrap_err().answer(), LogInAnswer::No),
            _ => assert_eq!(blocked_by(refused), Some(RefusedBy::Account)),
        }
    }
    let owner = fixture.log_in_from("kim", RIGHT, "198.51.100.77").await;
    assert!(owner.is_ok(), "another address of the network the owner is known from");
    assert!(
        fixture.log_in_from("kim", RIGHT, "192.0.2.9").await.is_ok(),
        "the owner's success has cleared it"
    );
}

#[tokio::test]
async fn accounts_11_each_failure_that_was_looked_at_doubles_the_wait_and_refused_ones_do_not() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let mut address = 0;
    let mut wrong = async || {
        address += 1;
        fixture.log_in_from("kim", "wrong", &format!("203.0.{address}.7")).await.unwrap_err()
    };
    for _ in 0..5 {
        wrong().await;
    }
    for seconds in [1, 2, 4, 8] {
        let retry_after = Duration::from_secs(seconds);
        for _ in 0..3 {
            assert_eq!(wrong().await, LogInRefusal::Blocked { by: RefusedBy::Account, retry_after });
        }
        fixture.clock.advance(retry_after);
        assert_eq!(wrong().await.answer(), LogInAnswer::No);
    }
}

#[tokio::test]
async fn accounts_10_many_at_once_are_looked_at_no_more_often_than_one_after_the_other() {
    let fixture = Fixture::new().await;
    let tries =
        (0..40).map(|n| fixture.accounts.log_in(b"kim", password("wrong"), from(&format!("203.0.{n}.7"))));
    let looked_at = join_all(tries).await.into_iter().filter(|result| blocked_by(result.clone()).is_none());
    assert_eq!(looked_at.count(), 5);
    let names: Vec<_> = (0..40).map(|n| format!("nobody{n}")).collect();
    let tries = names.iter().map(|name| fixture.log_in_from(name, "wrong", "192.0.2.1"));
    let looked_at = join_all(tries).await.into_iter().filter(|result| blocked_by(result.clone()).is_none());
    assert_eq!(looked_at.count(), 5);
}

#[tokio::test]
async fn accounts_12_of_200_held_attempts_nine_are_held_one_after_the_other_and_the_others_refused() {
    assert_eq!(AccountsConfig::default().hold, Duration::from_secs(1));
    let hold = Duration::from_millis(50);
    let fixture = Fixture::with(AccountsConfig { hold, ..AccountsConfig::default() }).await;
    fixture.add("kim").await;
    fixture.log_in_from("kim", RIGHT, "10.0.0.1").await.unwrap();
    fixture.accounts.forget_all();
    for n in 0..5 {
        fixture.log_in_from("kim", "wrong", &format!("203.0.{n}.7")).await.unwrap_err();
    }
    let began = std::time::Instant::now();
    // Wrong ones, since a right one would set the others free.
    let tries = (0..200).map(|_| fixture.log_in_from("kim", "wrong", "10.0.0.2"));
    let results = join_all(tries).await;
    let held = results.iter().filter(|result| matches!(result, Err(LogInRefusal::TooManyHeld))).count();
    assert_eq!(held, 191);
    let later = LogInAnswer::Later(Duration::from_secs(1));
    assert_eq!(LogInRefusal::TooManyHeld.answer(), later);
    assert!(began.elapsed() >= 9 * hold, "{:?}", began.elapsed());
    // The owner is held too, and gets in.
    let began = std::time::Instant::now();
    assert!(fixture.log_in_from("kim", RIGHT, "10.0.0.3").await.is_ok());
    assert!(began.elapsed() >= hold, "{:?}", began.elapsed());
}

#[tokio::test]
async fn accounts_12_the_operator_lifts_what_is_refused() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    for n in 0..5 {
        fixture.log_in_from("kim", "wrong", &format!("203.0.{n}.7")).await.unwrap_err();
        fixture.log_in_from("nobody", "wrong", "192.0.2.1").await.unwrap_err();
    }
    assert_eq!(blocked_by(fixture.log_in("kim", RIGHT).await), Some(RefusedBy::Account));
    assert!(fixture.guard.lift_account(&Digest::of(b"kim")).await);
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
    assert_eq!(blocked_by(fixture.log_in_from("kim", RIGHT, "192.0.2.1").await), Some(RefusedBy::Address));
    assert!(fixture.guard.lift_address("192.0.2.1".parse().unwrap()).await);
    assert!(fixture.log_in_from("kim", RIGHT, "192.0.2.1").await.is_ok());
}

#[tokio::test]
async fn accounts_09_an_attempt_counts_even_when_whoever_asked_goes_away() {
    let fixture = Fixture::new().await;
    for n in 0..5 {
        let address = format!("203.0.{n}.7");
        let attempt = Box::pin(fixture.log_in_from("nobody", "wrong", &address));
        // Asked once, and then let go.
        tokio::select! {
            biased;
            _ = attempt => {}
            () = tokio::task::yield_now() => {}
        }
    }
    // It has its turn behind the others.
    assert_eq!(blocked_by(fixture.log_in("nobody", "wrong").await), Some(RefusedBy::Account));
}
