//! Personal tokens of users.

use msp_core::{NewUserToken, RegistryError, Use, UserChange, UserToken};
use msp_protocol::{Digest, OsRng, Secret};

use super::{NOW, RegistryStand, generation, new_user, told_since};

/// A token that nobody has yet.
fn new_token(label: &str) -> NewUserToken {
    NewUserToken {
        digest: Secret::generate(&mut OsRng).digest(),
        label: label.parse().unwrap(),
        expires: None,
    }
}

pub async fn accounts_07_a_token_is_found_by_its_digest_with_all_it_was_added_with<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (kim, other) = (new_user("kim"), new_user("other"));
    for new in [&kim, &other] {
        registry.add_user(new, "test").await.unwrap();
    }
    let mut first = new_token("nightly");
    first.expires = Some(NOW - 1);
    let second = new_token("backup");
    for (user, new) in [(&kim, &first), (&kim, &second), (&other, &new_token("nightly"))] {
        registry.add_token(&user.name, new, "test").await.unwrap();
    }
    let expected = |new: &NewUserToken| UserToken {
        digest: new.digest,
        user: kim.id,
        label: new.label.clone(),
        expires: new.expires,
        added: NOW,
        last_used: None,
    };
    let elsewhere = stand.opened_again().await;
    assert_eq!(elsewhere.find_token(&first.digest).await.unwrap(), Some(expected(&first)));
    assert_eq!(elsewhere.tokens(&kim.name).await.unwrap(), [expected(&second), expected(&first)]);
    assert_eq!(elsewhere.find_token(&Digest::of(b"")).await.unwrap(), None);
}

pub async fn a_token_or_a_label_is_used_once_and_a_refusal_changes_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (kim, other) = (new_user("kim"), new_user("other"));
    for new in [&kim, &other] {
        registry.add_user(new, "test").await.unwrap();
    }
    let token = new_token("nightly");
    registry.add_token(&kim.name, &token, "test").await.unwrap();
    let before = generation(registry).await;
    let again = NewUserToken { label: "again".parse().unwrap(), ..token.clone() };
    let nobody = "nobody".parse().unwrap();
    for (name, new, refused) in [
        (&other.name, &again, RegistryError::AlreadyRegistered("the token")),
        (&kim.name, &new_token("nightly"), RegistryError::AlreadyRegistered("the label")),
        (&nobody, &new_token("nightly"), RegistryError::NotFound("user")),
    ] {
        assert_eq!(registry.add_token(name, new, "test").await.unwrap_err(), refused);
    }
    let missing = [(&nobody, &token.label, "user"), (&other.name, &token.label, "token")];
    for (name, label, what) in missing {
        let refused = registry.revoke_token(name, label, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::NotFound(what));
    }
    assert_eq!(registry.tokens(&nobody).await.unwrap_err(), RegistryError::NotFound("user"));
    assert_eq!(generation(registry).await, before);
    assert_eq!(registry.tokens(&kim.name).await.unwrap().len(), 1);
}

pub async fn a_revoked_token_never_comes_back_while_its_label_is_free<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let kim = new_user("kim");
    registry.add_user(&kim, "test").await.unwrap();
    let token = new_token("nightly");
    let since = generation(registry).await;
    registry.add_token(&kim.name, &token, "admin:kim").await.unwrap();
    assert_eq!(told_since(registry, since).await, [kim.id]);
    registry.revoke_token(&kim.name, &token.label, "admin:kim").await.unwrap();
    assert_eq!(told_since(registry, since + 1).await, [kim.id]);
    assert_eq!(registry.find_token(&token.digest).await.unwrap(), None);
    let refused = registry.add_token(&kim.name, &token, "test").await.unwrap_err();
    assert_eq!(refused, RegistryError::Tombstone("the token"));
    let audit = registry.audit_rows(2).await.unwrap();
    let lines: Vec<_> = audit.iter().map(|row| (&*row.action, &*row.subject, &*row.detail)).collect();
    assert_eq!(lines, [("user.token.revoke", "kim", "nightly"), ("user.token.add", "kim", "nightly")]);
    assert!(audit.iter().all(|row| row.actor == "admin:kim"));
    assert!(!format!("{audit:?}").contains(&token.digest.to_string()));
    registry.add_token(&kim.name, &new_token("nightly"), "test").await.unwrap();
}

pub async fn accounts_06_tokens_end_with_their_user_or_when_a_password_ends_them_and_not_by_the_epoch<
    R: RegistryStand,
>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (kim, other) = (new_user("kim"), new_user("other"));
    let tokens = ["one", "two"].map(new_token);
    let others = new_token("one");
    for new in [&kim, &other] {
        registry.add_user(new, "test").await.unwrap();
    }
    for token in &tokens {
        registry.add_token(&kim.name, token, "test").await.unwrap();
    }
    registry.add_token(&other.name, &others, "test").await.unwrap();
    let password = |end_tokens| UserChange::Password { hash: "$argon2id$second".into(), end_tokens };
    for (change, left) in [
        (UserChange::EndSessions, 2),
        (UserChange::Disabled(true), 2),
        (UserChange::Disabled(false), 2),
        (password(false), 2),
        (password(true), 0),
    ] {
        registry.change_user(&kim.name, change, "test").await.unwrap();
        assert_eq!(registry.tokens(&kim.name).await.unwrap().len(), left);
    }
    registry.remove_user(&other.name, "test").await.unwrap();
    for token in tokens.iter().chain([&others]) {
        assert_eq!(registry.find_token(&token.digest).await.unwrap(), None);
        let refused = registry.add_token(&kim.name, token, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::Tombstone("the token"));
    }
}

pub async fn days_of_use_are_kept_for_a_token_and_change_nothing_that_servers_follow<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (kim, token) = (new_user("kim"), new_token("nightly"));
    registry.add_user(&kim, "test").await.unwrap();
    registry.add_token(&kim.name, &token, "test").await.unwrap();
    let before = generation(registry).await;
    let day = NOW - NOW % 86_400;
    registry.note_uses(vec![Use { client: token.digest, day }]).await.unwrap();
    let found = registry.find_token(&token.digest).await.unwrap().unwrap();
    assert_eq!((found.last_used, generation(registry).await), (Some(day), before));
    assert_eq!(super::user(registry, "kim").await.last_used, None);
}
