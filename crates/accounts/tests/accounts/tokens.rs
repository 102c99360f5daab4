//! What a token proves.

use std::time::Duration;

use msp_accounts::{LogInAnswer, LogInRefusal, Proof};
use msp_core::{UserChange, Users as _};

use crate::fixture::{Fixture, NOW, RIGHT, name, told};

impl Fixture {
    async fn by_token(&self, text: &str) -> Result<msp_accounts::Proven, LogInRefusal> {
        self.accounts.by_token(text.as_bytes(), "203.0.113.7".parse().unwrap()).await
    }

    async fn opened(&self, user: &str) -> String {
        let proven = self.log_in(user, RIGHT).await.unwrap();
        let (token, lasts) = self.accounts.open_token(&proven.user).await.unwrap();
        assert_eq!(lasts, Duration::from_secs(300));
        token.as_str().to_owned()
    }
}

#[tokio::test]
async fn rpc_07_a_part_of_a_token_is_no_token_while_others_are_logged_in() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let (token, personal) = (fixture.opened("kim").await, fixture.token("kim", "backup", None).await);
    for live in [&token, &personal] {
        assert!(fixture.by_token(live).await.is_ok());
        let doubled = format!("{live}::::");
        for part in ["", &live[42..], &live[33..], &live[1..], &live[..42], &doubled, " ", "%", "*"] {
            let refusal = fixture.by_token(part).await.unwrap_err();
            assert_eq!(refusal, LogInRefusal::TokenUnknown, "{part:?}");
            assert_eq!(refusal.answer(), LogInAnswer::No);
        }
    }
}

#[tokio::test]
async fn rpc_08_a_token_ends_300_seconds_after_its_last_use() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let token = fixture.opened("kim").await;
    for _ in 0..5 {
        fixture.clock.advance(Duration::from_secs(299));
        assert!(matches!(fixture.by_token(&token).await.unwrap().proof, Proof::Token(_)));
    }
    fixture.clock.advance(Duration::from_secs(300));
    assert_eq!(fixture.by_token(&token).await.unwrap_err(), LogInRefusal::TokenUnknown);
}

#[tokio::test]
async fn rpc_09_a_token_that_is_ended_stands_for_nobody() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let (token, other) = (fixture.opened("kim").await, fixture.opened("kim").await);
    let Proof::Token(digest) = fixture.by_token(&token).await.unwrap().proof else { unreachable!() };
    fixture.accounts.end_token(&digest).await;
    assert!(fixture.by_token(&token).await.is_err());
    assert!(fixture.by_token(&other).await.is_ok());
}

#[tokio::test]
async fn accounts_06_what_raises_the_epoch_ends_rpc_tokens_and_leaves_personal_ones() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let personal = fixture.token("kim", "backup", None).await;
    let changes = [
        UserChange::EndSessions,
        UserChange::Role(msp_core::Role::Full),
        UserChange::Role(msp_core::Role::Normal),
    ];
    for change in changes {
        let token = fixture.opened("kim").await;
        assert!(fixture.by_token(&token).await.is_ok());
        fixture.change("kim", change).await;
        assert!(fixture.by_token(&token).await.is_err());
        assert!(fixture.by_token(&personal).await.is_ok());
    }
    let token = fixture.opened("kim").await;
    fixture.change("kim", UserChange::Grants(None)).await;
    assert!(fixture.by_token(&token).await.is_ok(), "other grants end nothing");
}

#[tokio::test]
async fn accounts_06_no_token_of_a_disabled_or_expired_user_opens_and_enable_revives_the_personal_ones() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let (token, personal) = (fixture.opened("kim").await, fixture.token("kim", "backup", None).await);
    fixture.change("kim", UserChange::Disabled(true)).await;
    assert_eq!(told(fixture.by_token(&personal).await), "the user kim is disabled");
    assert!(fixture.by_token(&token).await.is_err());
    fixture.change("kim", UserChange::Disabled(false)).await;
    assert!(fixture.by_token(&personal).await.is_ok());
    assert!(fixture.by_token(&token).await.is_err(), "it stays ended");
    fixture.change("kim", UserChange::Expires(Some(NOW))).await;
    assert_eq!(told(fixture.by_token(&personal).await), "the user kim has expired");
}

#[tokio::test]
async fn accounts_06_personal_tokens_end_when_revoked_expired_or_with_all_of_them() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let short = fixture.token("kim", "short", Some(NOW + 60)).await;
    let (one, other) = (fixture.token("kim", "one", None).await, fixture.token("kim", "other", None).await);
    for token in [&short, &one, &other] {
        let proof = fixture.by_token(token).await.unwrap().proof;
        assert!(matches!(proof, Proof::Personal { .. }), "{proof:?}");
    }
    fixture.clock.advance(Duration::from_secs(60));
    assert_eq!(told(fixture.by_token(&short).await), "the token short of the user kim has expired");
    fixture.registry.revoke_token(&name("kim"), &"one".parse().unwrap(), "test").await.unwrap();
    let user = fixture.registry.find_user(&name("kim")).await.unwrap().unwrap();
    fixture.accounts.forget(&[user.id]);
    assert_eq!(fixture.by_token(&one).await.unwrap_err(), LogInRefusal::TokenUnknown);
    let hash = user.password.clone();
    fixture.change("kim", UserChange::Password { hash: hash.clone(), end_tokens: false }).await;
    assert!(fixture.by_token(&other).await.is_ok());
    fixture.change("kim", UserChange::Password { hash, end_tokens: true }).await;
    assert!(fixture.by_token(&other).await.is_err());
}

#[tokio::test]
async fn accounts_19_only_tokens_of_the_rpc_door_are_renewed() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let (token, personal) = (fixture.opened("kim").await, fixture.token("kim", "backup", None).await);
    fixture.clock.advance(Duration::from_secs(200));
    assert!(fixture.accounts.by_rpc_token(token.as_bytes()).await.is_ok());
    fixture.clock.advance(Duration::from_secs(200));
    assert!(fixture.accounts.by_rpc_token(token.as_bytes()).await.is_ok());
    assert!(fixture.accounts.by_rpc_token(personal.as_bytes()).await.is_err());
    assert!(fixture.accounts.by_rpc_token(b"").await.is_err());
}
