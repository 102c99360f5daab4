//! Users: added, changed, removed, and seen by every server.

use msp_core::{
    Access, Grants, LogIn, LogInNetwork, NewUserToken, RegistryError, Role, Use, UserChange, Way,
};
use msp_protocol::Digest;

use super::{NOW, RegistryStand, generation, new_client, new_user, told_since, user};

fn listed(patterns: &[(&str, Access)]) -> Grants {
    Grants::Listed(patterns.iter().map(|(pattern, access)| (pattern.parse().unwrap(), *access)).collect())
}

pub async fn a_user_is_found_by_name_and_by_id_with_all_it_was_added_with<R: RegistryStand>() {
    let stand = R::start().await;
    let mut full = new_user("kim");
    (full.role, full.expires) = (Role::Full, Some(NOW - 1));
    let mut some = new_user("alice");
    some.listed = Some(listed(&[("rpc/*", Access::Read), ("sys*", Access::Write), ("sys*", Access::Read)]));
    let mut standard = new_user("bob");
    (standard.role, standard.listed) = (Role::Full, Some(Grants::Standard));
    let mut nothing = new_user("carol");
    nothing.listed = Some(Grants::nothing());
    let registry = stand.opened_again().await;
    for new in [&full, &some, &standard, &nothing] {
        stand.registry().add_user(new, "test").await.unwrap();
        let found = registry.find_user(&new.name).await.unwrap().unwrap();
        assert_eq!(registry.user_of(&new.id).await.unwrap().unwrap(), found);
        assert_eq!((found.id, &found.name, &found.password), (new.id, &new.name, &new.password));
        assert_eq!((found.role, found.expires, found.disabled), (new.role, new.expires, false));
        assert_eq!((found.added, found.last_used, found.is_open(NOW)), (NOW, None, new.expires.is_none()));
    }
    let users = registry.users().await.unwrap();
    let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["alice", "bob", "carol", "kim"]);
    for one in &users {
        assert_eq!(*one, user(&registry, one.name.as_str()).await, "alone and among all");
    }
    let [alice, bob, carol, kim] = users.as_slice() else { panic!("{users:?}") };
    assert_eq!(alice.listed, Some(listed(&[("rpc/*", Access::Read), ("sys*", Access::Write)])));
    assert_eq!((bob.grants(), carol.grants()), (Grants::Standard, Grants::nothing()));
    assert_eq!((&kim.listed, kim.grants()), (&None, Grants::everything()));
    assert_eq!(registry.find_user(&"nobody".parse().unwrap()).await.unwrap(), None);
    assert_eq!(registry.user_of(&Digest::of(b"nobody")).await.unwrap(), None);
}

pub async fn a_name_is_used_once_at_a_time_and_a_refusal_changes_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let first = new_user("kim");
    registry.add_user(&first, "test").await.unwrap();
    registry.add_client(&new_client(Some("kim")), "test").await.unwrap();
    let before = generation(registry).await;
    let mut same_id = new_user("other");
    same_id.id = first.id;
    for (new, what) in [(same_id, "the user"), (new_user("kim"), "the name")] {
        let refused = registry.add_user(&new, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::AlreadyRegistered(what));
    }
    let nobody = "nobody".parse().unwrap();
    let missing = RegistryError::NotFound("user");
    assert_eq!(registry.change_user(&nobody, UserChange::EndSessions, "test").await.unwrap_err(), missing);
    assert_eq!(registry.remove_user(&nobody, "test").await.unwrap_err(), missing);
    assert_eq!(generation(registry).await, before);
    assert_eq!(registry.users().await.unwrap().len(), 1);
}

pub async fn accounts_02_a_name_used_again_inherits_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let mut first = new_user("kim");
    (first.role, first.listed) = (Role::Full, Some(listed(&[("sys*", Access::Write)])));
    registry.add_user(&first, "test").await.unwrap();
    let token = NewUserToken { digest: Digest::of(b"t"), label: "script".parse().unwrap(), expires: None };
    registry.add_token(&first.name, &token, "test").await.unwrap();
    let network = LogInNetwork::of([203, 0, 113, 7].into());
    registry.note_log_in(&LogIn { user: first.id, network, way: Way::Password }).await.unwrap();
    registry.remove_user(&first.name, "test").await.unwrap();
    assert_eq!(registry.find_user(&first.name).await.unwrap(), None);
    assert_eq!(registry.user_of(&first.id).await.unwrap(), None);

    let second = new_user("kim");
    registry.add_user(&second, "test").await.unwrap();
    let found = user(registry, "kim").await;
    assert_eq!((found.id, found.role, found.listed), (second.id, Role::Normal, None));
    assert_eq!(registry.tokens(&second.name).await.unwrap(), []);
    assert_eq!(registry.find_token(&token.digest).await.unwrap(), None);
    for id in [first.id, second.id] {
        assert!(!registry.has_logged_in(&id, network, 0).await.unwrap());
        assert_eq!(registry.log_ins(&id).await.unwrap(), []);
    }
    registry.remove_user(&second.name, "test").await.unwrap();
    let refused = registry.add_user(&first, "test").await.unwrap_err();
    assert_eq!(refused, RegistryError::Tombstone("the user"), "who was removed does not come back");
}

pub async fn accounts_06_the_epoch_rises_with_what_ends_sessions_and_with_nothing_else<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let new = new_user("kim");
    registry.add_user(&new, "test").await.unwrap();
    let mut epoch = user(registry, "kim").await.epoch;
    let password = |end_tokens| UserChange::Password { hash: "$argon2id$second".into(), end_tokens };
    for (change, rise) in [
        (UserChange::Expires(Some(NOW + 9)), 0),
        (UserChange::Grants(Some(listed(&[("sys*", Access::Read)]))), 0),
        (UserChange::Disabled(true), 1),
        (UserChange::Disabled(false), 0),
        (UserChange::EndSessions, 1),
        (UserChange::Role(Role::Full), 1),
        (password(false), 1),
        (password(true), 1),
    ] {
        let changed = registry.change_user(&new.name, change, "test").await.unwrap();
        epoch += rise;
        assert_eq!(changed.epoch, epoch, "{changed:?}");
        assert_eq!(user(registry, "kim").await, changed);
    }
    let changed = user(registry, "kim").await;
    assert_eq!((&*changed.password, changed.role, changed.disabled), ("$argon2id$second", Role::Full, false));
    assert_eq!((changed.listed, changed.expires), (Some(listed(&[("sys*", Access::Read)])), Some(NOW + 9)));
    registry.change_user(&new.name, UserChange::Expires(None), "test").await.unwrap();
    let back = registry.change_user(&new.name, UserChange::Grants(None), "test").await.unwrap();
    assert_eq!((back.listed, back.expires, back.epoch), (None, None, epoch));
}

pub async fn accounts_04_a_password_is_hashed_anew_only_while_it_is_the_same<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let new = new_user("kim");
    registry.add_user(&new, "test").await.unwrap();
    let before = (generation(registry).await, registry.audit_rows(9).await.unwrap());
    registry.rehash_password(&new.id, "$argon2id$other", "$argon2id$never").await.unwrap();
    registry.rehash_password(&Digest::of(b"nobody"), &new.password, "$argon2id$never").await.unwrap();
    assert_eq!(user(registry, "kim").await.password, new.password);
    registry.rehash_password(&new.id, &new.password, "$argon2id$stronger").await.unwrap();
    let found = user(registry, "kim").await;
    assert_eq!((&*found.password, found.epoch), ("$argon2id$stronger", 0));
    assert_eq!((generation(registry).await, registry.audit_rows(9).await.unwrap()), before);
}

pub async fn accounts_18_each_change_of_a_user_is_told_alone_and_no_start_reads_users<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    registry.add_user(&new_user("other"), "test").await.unwrap();
    let mut new = new_user("kim");
    new.listed = Some(listed(&[("sys*", Access::Read)]));
    let mut since = generation(registry).await;
    registry.add_user(&new, "test").await.unwrap();
    assert_eq!(told_since(registry, since).await, [new.id]);
    for change in [
        UserChange::Disabled(true),
        UserChange::EndSessions,
        UserChange::Expires(Some(7)),
        UserChange::Grants(None),
        UserChange::Password { hash: "$argon2id$second".into(), end_tokens: true },
        UserChange::Role(Role::Full),
    ] {
        since = generation(registry).await;
        registry.change_user(&new.name, change, "test").await.unwrap();
        assert_eq!(
            (told_since(registry, since).await, generation(registry).await),
            (vec![new.id], since + 1)
        );
    }
    registry.remove_user(&new.name, "test").await.unwrap();
    assert_eq!(told_since(registry, since).await, [new.id]);
    let snapshot = registry.snapshot().await.unwrap();
    assert_eq!((snapshot.clients.len(), snapshot.api_keys.len()), (0, 0));
}

pub async fn every_change_of_a_user_leaves_its_line_in_the_audit_without_a_secret<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let mut new = new_user("kim");
    new.listed = Some(listed(&[("sys*", Access::Write)]));
    registry.add_user(&new, "admin:kim").await.unwrap();
    let password = |end_tokens| UserChange::Password { hash: "$argon2id$second".into(), end_tokens };
    for change in [
        UserChange::Disabled(true),
        UserChange::Disabled(false),
        UserChange::EndSessions,
        UserChange::Expires(Some(7)),
        UserChange::Expires(None),
        UserChange::Grants(Some(Grants::Standard)),
        UserChange::Grants(None),
        password(false),
        password(true),
        UserChange::Role(Role::Full),
    ] {
        registry.change_user(&new.name, change, "admin:kim").await.unwrap();
    }
    registry.remove_user(&new.name, "admin:kim").await.unwrap();
    let mut rows = registry.audit_rows(99).await.unwrap();
    rows.reverse();
    let lines: Vec<_> = rows.iter().map(|row| (row.action.as_str(), row.detail.as_str())).collect();
    let expected = [
        ("user.add", "normal; write sys*"),
        ("user.disable", ""),
        ("user.enable", ""),
        ("user.sessions", "all ended"),
        ("user.expire", "at Unix second 7"),
        ("user.expire", "never"),
        ("user.grant", "standard grants"),
        ("user.grant", "what the role gives"),
        ("user.password", ""),
        ("user.password", "all tokens revoked"),
        ("user.role", "full"),
        ("user.remove", ""),
    ];
    assert_eq!(lines, expected);
    assert!(rows.iter().all(|row| row.actor == "admin:kim" && row.subject == "kim" && row.at == NOW));
    let text = format!("{rows:?}");
    assert!(!text.contains("argon2id") && !text.contains(&new.id.to_string()), "{text}");
}

pub async fn days_of_use_are_kept_for_a_user_and_change_nothing_that_servers_follow<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (new, other) = (new_user("kim"), new_user("other"));
    for new in [&new, &other] {
        registry.add_user(new, "test").await.unwrap();
    }
    let before = generation(registry).await;
    let day = NOW - NOW % 86_400;
    registry.note_uses(vec![Use { client: new.id, day }]).await.unwrap();
    assert_eq!(user(registry, "kim").await.last_used, Some(day));
    assert_eq!(user(registry, "other").await.last_used, None);
    assert_eq!(generation(registry).await, before);
}

pub async fn changes_of_users_in_parallel_lose_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    let (one, other) = (stand.registry().clone(), stand.opened_again().await);
    one.add_user(&new_user("kim"), "test").await.unwrap();
    let changing = (0..24).map(|n: u64| {
        let registry = if n.is_multiple_of(2) { one.clone() } else { other.clone() };
        tokio::spawn(async move {
            let kim = "kim".parse().unwrap();
            registry.add_user(&new_user(&format!("user-{n}")), "test").await.unwrap();
            registry.change_user(&kim, UserChange::EndSessions, "test").await.unwrap().epoch
        })
    });
    let mut epochs: Vec<_> =
        futures_util::future::join_all(changing).await.into_iter().map(Result::unwrap).collect();
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=24).collect::<Vec<_>>(), "each change is given back as it alone left the user");
    assert_eq!(one.users().await.unwrap().len(), 25);
}

pub async fn a_purge_of_all_clients_leaves_users<R: RegistryStand>() {
    let stand = R::start().await;
    let mut new = new_user("kim");
    new.listed = Some(listed(&[("sys*", Access::Write)]));
    stand.registry().add_user(&new, "test").await.unwrap();
    stand.registry().purge("test").await.unwrap();
    assert_eq!(user(stand.registry(), "kim").await.listed, new.listed);
}
