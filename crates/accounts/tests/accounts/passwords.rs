//! What a password proves.

use std::time::Duration;

use argon2::password_hash::{PasswordHasher as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use msp_accounts::{AccountsConfig, From, LogInAnswer, Password, Proof};
use msp_core::{NewUser, Role, UserChange, Users as _, Way};
use msp_protocol::Digest;

use crate::fixture::{Fixture, NOW, RIGHT, from, name, password, told};

#[tokio::test]
async fn accounts_04_only_the_name_and_the_password_log_in_and_every_other_answer_is_the_same() {
    let fixture = Fixture::new().await;
    for user in ["kim", "off", "old"] {
        fixture.add(user).await;
    }
    fixture.change("off", UserChange::Disabled(true)).await;
    fixture.change("old", UserChange::Expires(Some(NOW))).await;
    let proven = fixture.log_in("kim", RIGHT).await.unwrap();
    assert_eq!((proven.user.name.as_str(), proven.proof), ("kim", Proof::Password));
    let long = RIGHT.repeat(100_000);
    let refused = [
        ("kim", "wrong", "it is not the password of the user kim"),
        ("kim", "", "it is not the password of the user kim"),
        ("kim", "correct horse ", "it is not the password of the user kim"),
        ("kim", &long, "it is not the password of the user kim"),
        ("Kim", RIGHT, "there is no user Kim"),
        ("kim ", RIGHT, "there is no user kim "),
        ("", RIGHT, "there is no user "),
        ("nobody", RIGHT, "there is no user nobody"),
        ("no\nbody", RIGHT, "there is no user no\\nbody"),
        ("off", RIGHT, "the user off is disabled"),
        ("off", "wrong", "the user off is disabled"),
        ("old", RIGHT, "the user old has expired"),
    ];
    for (n, (user, text, why)) in refused.into_iter().enumerate() {
        let refusal = fixture.log_in_from(user, text, &format!("203.0.113.{n}")).await.unwrap_err();
        assert_eq!(refusal.to_string(), why);
        assert_eq!(refusal.answer(), LogInAnswer::No, "{why}");
    }
}

#[tokio::test]
async fn accounts_01_a_password_may_hold_any_bytes() {
    let fixture = Fixture::new().await;
    let odd = || Password::presented(b"a:b\0\xff\xfe\r\n ".to_vec().into());
    let new = NewUser {
        id: Digest::of(b"odd"),
        name: name("odd"),
        password: msp_accounts::hash(&odd()).into(),
        role: Role::Normal,
        listed: None,
        expires: None,
    };
    fixture.registry.add_user(&new, "test").await.unwrap();
    assert!(fixture.accounts.log_in(b"odd", odd(), from("203.0.113.7")).await.is_ok());
    assert!(fixture.log_in("odd", "a:b").await.is_err());
    assert!(fixture.accounts.log_in(b"odd\xff", odd(), from("203.0.113.7")).await.is_err());
}

#[tokio::test]
async fn accounts_04_a_weak_hash_is_replaced_at_a_log_in_and_nothing_else_changes() {
    let fixture = Fixture::new().await;
    let params = Params::new(64, 1, 1, None).unwrap();
    let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let salt = SaltString::encode_b64(&[7; 16]).unwrap();
    let weak = weak.hash_password(RIGHT.as_bytes(), &salt).unwrap();
    let new = NewUser {
        id: Digest::of(b"kim"),
        name: name("kim"),
        password: weak.to_string().into(),
        role: Role::Normal,
        listed: None,
        expires: None,
    };
    fixture.registry.add_user(&new, "test").await.unwrap();
    let hash = async || fixture.registry.find_user(&name("kim")).await.unwrap().unwrap();
    fixture.log_in("kim", "wrong").await.unwrap_err();
    assert_eq!(&*hash().await.password, weak.to_string());
    let proven = fixture.log_in("kim", RIGHT).await.unwrap();
    let now = hash().await;
    assert!(now.password.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", now.password);
    assert_eq!(now.epoch, proven.user.epoch);
    fixture.accounts.forget_all();
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
}

#[tokio::test]
async fn accounts_05_a_verified_password_is_not_looked_at_again_and_the_rules_come_before_it() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    fixture.log_in("kim", RIGHT).await.unwrap();
    // Changed behind the server's back, with the epoch as it was: only a hash would notice.
    let record = fixture.registry.find_user(&name("kim")).await.unwrap().unwrap();
    let other = msp_accounts::hash(&password("another password"));
    fixture.registry.rehash_password(&record.id, &record.password, &other).await.unwrap();
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
    fixture.clock.advance(Duration::from_secs(299));
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
    fixture.clock.advance(Duration::from_secs(1));
    assert!(fixture.log_in("kim", RIGHT).await.is_err(), "five minutes are over");
    fixture.log_in("kim", "another password").await.unwrap();
    // An address that is closed is closed to a verified pair too, and a hit resets no count.
    for n in 0..5 {
        assert!(fixture.log_in("kim", "another password").await.is_ok(), "{n}");
        fixture.log_in(&format!("nobody{n}"), "wrong").await.unwrap_err();
    }
    let refusal = fixture.log_in("kim", "another password").await.unwrap_err();
    assert_eq!(refusal.answer(), LogInAnswer::Later(Duration::from_secs(3600)));
    assert!(fixture.log_in_from("kim", "another password", "203.0.113.8").await.is_ok());
}

#[tokio::test]
async fn accounts_05_disabled_and_expired_are_looked_at_with_each_request() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    fixture.log_in("kim", RIGHT).await.unwrap();
    fixture.change("kim", UserChange::Expires(Some(NOW + 10))).await;
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
    fixture.clock.advance(Duration::from_secs(10));
    assert_eq!(told(fixture.log_in("kim", RIGHT).await), "the user kim has expired");
    fixture.change("kim", UserChange::Expires(None)).await;
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
    fixture.change("kim", UserChange::Disabled(true)).await;
    assert_eq!(told(fixture.log_in("kim", RIGHT).await), "the user kim is disabled");
    fixture.change("kim", UserChange::Disabled(false)).await;
    assert!(fixture.log_in("kim", RIGHT).await.is_ok());
}

#[tokio::test]
async fn accounts_06_another_password_counts_at_once_and_the_old_one_no_longer() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    fixture.log_in("kim", RIGHT).await.unwrap();
    let hash = msp_accounts::hash(&password("another password")).into();
    fixture.change("kim", UserChange::Password { hash, end_tokens: false }).await;
    assert!(fixture.log_in("kim", RIGHT).await.is_err());
    assert!(fixture.log_in("kim", "another password").await.is_ok());
}

#[tokio::test]
async fn accounts_02_a_name_used_again_inherits_nothing() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let proven = fixture.log_in("kim", RIGHT).await.unwrap();
    let (token, _) = fixture.accounts.open_token(&proven.user).await.unwrap();
    let personal = fixture.token("kim", "backup", None).await;
    fixture.registry.remove_user(&name("kim"), "test").await.unwrap();
    fixture.accounts.forget(&[proven.user.id]);
    let new = NewUser {
        id: Digest::of(b"another kim"),
        name: name("kim"),
        password: msp_accounts::hash(&password("another password")).into(),
        role: Role::Normal,
        listed: None,
        expires: None,
    };
    fixture.registry.add_user(&new, "test").await.unwrap();
    assert!(fixture.log_in("kim", RIGHT).await.is_err());
    for token in [token.as_str(), &personal] {
        assert!(fixture.accounts.by_token(token.as_bytes(), "203.0.113.7".parse().unwrap()).await.is_err());
    }
    assert!(fixture.log_in("kim", "another password").await.is_ok());
}

#[tokio::test]
async fn rpc_22_the_empty_password_is_for_normal_users_of_this_machine_where_the_operator_says_so() {
    let fixture = Fixture::new().await;
    for (user, role) in
        [("kim", Role::Normal), ("boss", Role::Full), ("root", Role::Normal), ("toor", Role::Normal)]
    {
        fixture.add_as(user, role).await;
    }
    let empty = async |user: &str, is_local| {
        let from = From { address: "127.0.0.1".parse().unwrap(), is_hop: false, is_local };
        fixture.accounts.log_in(user.as_bytes(), password(""), from).await.is_ok()
    };
    assert!(!empty("kim", true).await, "it is off unless the operator says so");
    let config = AccountsConfig { local_empty_password: true, hold: Duration::ZERO, ..Default::default() };
    fixture.accounts.reconfigure(config);
    assert!(empty("kim", true).await);
    assert!(!empty("kim", false).await);
    for user in ["boss", "root", "toor", "nobody"] {
        assert!(!empty(user, true).await, "{user}");
    }
}

#[tokio::test]
async fn accounts_12_log_ins_and_failures_are_kept_by_network_and_way() {
    let fixture = Fixture::new().await;
    fixture.add("kim").await;
    let token = fixture.token("kim", "backup", None).await;
    fixture.log_in_from("kim", "wrong", "203.0.113.7").await.unwrap_err();
    fixture.log_in_from("kim", RIGHT, "198.51.100.1").await.unwrap();
    fixture.log_in_from("kim", "wrong", "203.0.113.8").await.unwrap_err();
    fixture.accounts.by_token(token.as_bytes(), "198.51.100.2".parse().unwrap()).await.unwrap();
    fixture.accounts.write_behind().await;
    let user = fixture.registry.find_user(&name("kim")).await.unwrap().unwrap();
    let mut rows: Vec<_> = fixture.registry.log_ins(&user.id).await.unwrap();
    rows.sort_by_key(|row| (row.network.clone(), row.way));
    let rows: Vec<_> =
        rows.iter().map(|row| (&*row.network, row.way, row.last.is_some(), row.failures)).collect();
    assert_eq!(
        rows,
        [
            ("198.51.100.0/24", Way::Password, true, 0),
            ("198.51.100.0/24", Way::Token, true, 0),
            ("203.0.113.0/24", Way::Password, false, 2),
        ]
    );
}
