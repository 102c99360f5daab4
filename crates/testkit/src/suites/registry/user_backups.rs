//! Users, copied and taken back.

use std::sync::Arc;
use std::time::Duration;

use msp_core::{
    Access, Changes, Grants, LogIn, LogInNetwork, NewUserToken, Registry, Restored, Role, UserChange, Way,
};
use msp_protocol::{Digest, UserName};

use super::{NOW, RegistryStand, generation, new_user, user};

const TTL: Duration = Duration::from_secs(30);

/// Goes back to this backup of the stand's.
async fn take_back(registry: &Arc<dyn Registry>, stand: &impl RegistryStand, backup: &str) -> Restored {
    registry.restore(&stand.path(backup), backup, TTL, "admin:kim").await.unwrap()
}

fn named(name: &str) -> UserName {
    name.parse().unwrap()
}

async fn change(registry: &Arc<dyn Registry>, name: &str, change: UserChange) -> u64 {
    registry.change_user(&named(name), change, "test").await.unwrap().epoch
}

fn password(hash: &str) -> UserChange {
    UserChange::Password { hash: hash.into(), end_tokens: false }
}

fn token(text: &str) -> NewUserToken {
    NewUserToken { digest: Digest::of(text.as_bytes()), label: text.parse().unwrap(), expires: None }
}

pub async fn a_backup_brings_users_back_with_all_that_hangs_on_them<R: RegistryStand>() {
    let (stand, elsewhere) = (R::start().await, R::start().await);
    let registry = stand.registry();
    let mut kim = new_user("kim");
    kim.listed = Some(Grants::Listed([("sys*".parse().unwrap(), Access::Write)].into()));
    kim.expires = Some(NOW + 9);
    registry.add_user(&kim, "test").await.unwrap();
    registry.add_token(&kim.name, &token("nightly"), "test").await.unwrap();
    let network = LogInNetwork::of([203, 0, 113, 7].into());
    registry.note_log_in(&LogIn { user: kim.id, network, way: Way::Password }).await.unwrap();
    change(registry, "kim", UserChange::Disabled(true)).await;
    stand.back_up("copy.db").await;

    let there = elsewhere.registry();
    there.add_user(&new_user("later"), "test").await.unwrap();
    let since = generation(there).await;
    let restored = take_back(there, &stand, "copy.db").await;
    assert_eq!((restored.users, restored.clients, restored.revoked), (1, 0, 0));
    assert_eq!(there.users().await.unwrap(), registry.users().await.unwrap());
    assert_eq!(there.tokens(&kim.name).await.unwrap(), registry.tokens(&kim.name).await.unwrap());
    assert_eq!(there.log_ins(&kim.id).await.unwrap(), registry.log_ins(&kim.id).await.unwrap());
    assert!(there.has_logged_in(&kim.id, network, NOW).await.unwrap());
    assert!(matches!(there.changes(since, &|_| true).await.unwrap(), Changes::Everything(_)));
    assert_eq!(
        there.audit_rows(1).await.unwrap()[0].detail,
        "0 clients, 0 api keys, 1 users; 0 of the backup stay revoked"
    );
}

pub async fn accounts_02_a_restore_brings_back_no_removed_user_and_no_revoked_token<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (mut gone, stays) = (new_user("gone"), new_user("stays"));
    gone.listed = Some(Grants::Standard);
    for (new, tokens) in [(&gone, ["gone-1", "gone-2"]), (&stays, ["stays-1", "stays-2"])] {
        registry.add_user(new, "test").await.unwrap();
        for text in tokens {
            registry.add_token(&new.name, &token(text), "test").await.unwrap();
        }
        let network = LogInNetwork::of([203, 0, 113, 7].into());
        registry.note_log_in(&LogIn { user: new.id, network, way: Way::Password }).await.unwrap();
    }
    stand.back_up("copy.db").await;
    registry.remove_user(&gone.name, "test").await.unwrap();
    registry.revoke_token(&stays.name, &"stays-1".parse().unwrap(), "test").await.unwrap();
    let again = new_user("gone");
    registry.add_user(&again, "test").await.unwrap();

    let restored = take_back(registry, &stand, "copy.db").await;
    assert_eq!((restored.users, restored.revoked), (1, 1));
    assert_eq!(registry.users().await.unwrap(), [user(registry, "stays").await]);
    for text in ["gone-1", "gone-2", "stays-1"] {
        assert_eq!(registry.find_token(&token(text).digest).await.unwrap(), None, "{text}");
    }
    assert!(registry.find_token(&token("stays-2").digest).await.unwrap().is_some());
    assert_eq!(registry.log_ins(&gone.id).await.unwrap(), []);
    registry.add_user(&new_user("gone"), "test").await.unwrap();

    change(registry, "stays", UserChange::Password { hash: "$argon2id$2".into(), end_tokens: true }).await;
    take_back(registry, &stand, "copy.db").await;
    assert_eq!(registry.tokens(&stays.name).await.unwrap(), [], "ended with a password");
}

pub async fn accounts_06_a_restore_lowers_no_epoch_and_brings_back_no_earlier_password<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    for name in ["changed", "demoted", "ended", "rehashed"] {
        registry.add_user(&new_user(name), "test").await.unwrap();
    }
    change(registry, "demoted", UserChange::Role(Role::Full)).await;
    stand.back_up("copy.db").await;
    change(registry, "changed", password("$argon2id$second")).await;
    change(registry, "demoted", UserChange::Role(Role::Normal)).await;
    change(registry, "ended", UserChange::EndSessions).await;
    let rehashed = user(registry, "rehashed").await;
    registry.rehash_password(&rehashed.id, &rehashed.password, "$argon2id$stronger").await.unwrap();
    let before = registry.users().await.unwrap();
    for _ in 0..2 {
        take_back(registry, &stand, "copy.db").await;
        assert_eq!(registry.users().await.unwrap(), before);
    }
    stand.back_up("newer.db").await;

    // A backup that is newer brings what came after, and an older one changes nothing any more.
    let elsewhere = R::start().await;
    let second = "$argon2id$second";
    for (copy, hash, epoch) in
        [("copy.db", "$argon2id$first", 0), ("newer.db", second, 1), ("copy.db", second, 1)]
    {
        take_back(elsewhere.registry(), &stand, copy).await;
        let found = user(elsewhere.registry(), "changed").await;
        assert_eq!((&*found.password, found.epoch), (hash, epoch), "{copy}");
    }
}

pub async fn a_restore_forgives_no_user_who_was_disabled_or_expires<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    for name in ["disabled", "enabled", "later", "sooner"] {
        registry.add_user(&new_user(name), "test").await.unwrap();
    }
    change(registry, "enabled", UserChange::Disabled(true)).await;
    change(registry, "later", UserChange::Expires(Some(NOW + 100))).await;
    stand.back_up("copy.db").await;
    change(registry, "disabled", UserChange::Disabled(true)).await;
    change(registry, "enabled", UserChange::Disabled(false)).await;
    change(registry, "later", UserChange::Expires(Some(NOW + 900))).await;
    change(registry, "sooner", UserChange::Expires(Some(NOW - 1))).await;
    take_back(registry, &stand, "copy.db").await;
    let users = registry.users().await.unwrap();
    let found: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.disabled, user.expires)).collect();
    let expected = [
        ("disabled", true, None),
        ("enabled", true, None),
        ("later", false, Some(NOW + 100)),
        ("sooner", false, Some(NOW - 1)),
    ];
    assert_eq!(found, expected, "as clients: of the backup, unless the registry is stricter");
}
