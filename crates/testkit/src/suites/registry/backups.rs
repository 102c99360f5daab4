//! Copied and taken back.

use std::time::Duration;

use msp_core::{Changes, NewClient, RegistryError, Restored, Selector};
use msp_protocol::Digest;

use super::{NOW, RegistryStand, generation, linked, new_client};

const TTL: Duration = Duration::from_secs(30);

/// Goes back to the backup `copy.db`.
async fn take_back(stand: &impl RegistryStand) -> Restored {
    stand.registry().restore(&stand.path("copy.db"), "copy.db", TTL, "admin:kim").await.unwrap()
}

pub async fn a_backup_brings_clients_back_but_none_that_was_revoked_since_and_never_lowers_the_mark<
    R: RegistryStand,
>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (stays, revoked, later) =
        (new_client(Some("stays")), new_client(Some("revoked")), new_client(Some("later")));
    let (unlinked, purged) = (new_client(None), new_client(None));
    for new in [&stays, &revoked, &unlinked, &purged] {
        registry.add_client(new, "test").await.unwrap();
    }
    stand.back_up("copy.db").await;
    registry.revoke(&Selector::Name("revoked".parse().unwrap()), "test").await.unwrap();
    registry.revoke(&Selector::Key(purged.key), "test").await.unwrap();
    registry.add_client(&later, "test").await.unwrap();
    let before = generation(registry).await;

    let restored = take_back(&stand).await;
    assert_eq!((restored.clients, restored.revoked, restored.floor), (2, 2, NOW + 30));
    let snapshot = registry.snapshot().await.unwrap();
    let mut keys: Vec<_> = snapshot.clients.iter().map(|client| client.key).collect();
    let mut expected = vec![stays.key, unlinked.key];
    keys.sort();
    expected.sort();
    assert_eq!(keys, expected);
    assert_eq!(snapshot.secrets.len(), 2);
    assert!(snapshot.generation > before);
    assert_eq!(registry.marks().await.unwrap().accepted_until, NOW + 30);
    registry.set_accepted_until(NOW + 500).await.unwrap();
    assert_eq!(take_back(&stand).await.floor, NOW + 500);
    assert_eq!(registry.marks().await.unwrap().accepted_until, NOW + 500);
    assert_eq!(registry.audit_rows(1).await.unwrap()[0].action, "registry.restore");
}

pub async fn a_restore_forgives_neither_who_was_disabled_nor_who_expired<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let name = |name: &str| name.parse().unwrap();
    for client in ["never", "sooner", "later", "disabled"] {
        registry.add_client(&new_client(Some(client)), "test").await.unwrap();
    }
    registry.set_expiry(&name("later"), Some(NOW + 100), "test").await.unwrap();
    stand.back_up("copy.db").await;
    registry.set_expiry(&name("sooner"), Some(NOW - 1), "test").await.unwrap();
    registry.set_expiry(&name("later"), Some(NOW + 900), "test").await.unwrap();
    registry.set_disabled(&name("disabled"), true, "test").await.unwrap();

    let restored = take_back(&stand).await;
    assert_eq!((restored.clients, restored.revoked, restored.shut_out), (4, 0, 2));
    let clients = registry.clients().await.unwrap();
    let found: Vec<_> = clients
        .iter()
        .map(|client| (linked(client).name.as_str(), client.expires, client.disabled))
        .collect();
    let expected = [
        ("disabled", None, true),
        ("later", Some(NOW + 100), false),
        ("never", None, false),
        ("sooner", Some(NOW - 1), false),
    ];
    assert_eq!(found, expected);
}

pub async fn a_secret_that_a_rotation_has_ended_stays_ended_and_the_newer_one_works<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let [first, second, third] = [0; 3].map(|_| new_client(None).secret);
    let mut client = new_client(Some("laptop"));
    client.secret = first;
    registry.add_client(&client, "test").await.unwrap();
    let rotate = async |secret: &Digest| {
        let name = "laptop".parse().unwrap();
        registry.rotate(&name, secret, Duration::from_secs(60), "test").await.unwrap();
    };
    stand.back_up("copy.db").await;

    // While the overlap lasts, it ends when it would have.
    rotate(&second).await;
    take_back(&stand).await;
    let found = stand.only_client().await;
    assert_eq!((linked(&found).secret, linked(&found).previous), (second, Some((first, NOW + 60))));

    // When it has ended, so has the secret, though nothing but the clock ended it.
    stand.clock().advance(Duration::from_secs(61));
    take_back(&stand).await;
    let found = stand.only_client().await;
    assert_eq!((linked(&found).secret, linked(&found).previous), (second, None));

    // Another rotation: only the newest is left.
    rotate(&third).await;
    let ended = registry.end_previous_secret(client.key.digest(), third).await.unwrap();
    assert!(ended.is_some());
    take_back(&stand).await;
    let found = stand.only_client().await;
    assert_eq!((linked(&found).secret, linked(&found).previous), (third, None));

    // Nor does it come back by way of a registry that knows nothing, with the backup of this one.
    stand.back_up("newer.db").await;
    let elsewhere = R::start().await;
    let copies = [stand.path("newer.db"), stand.path("copy.db")];
    for copy in copies {
        elsewhere.registry().restore(&copy, "copy", TTL, "test").await.unwrap();
        assert_eq!(linked(&elsewhere.only_client().await).secret, third);
    }
}

pub async fn a_backup_that_is_newer_brings_its_newer_secret<R: RegistryStand>() {
    let stand = R::start().await;
    let (mut client, second) = (new_client(Some("laptop")), new_client(None).secret);
    client.secret = new_client(None).secret;
    stand.registry().add_client(&client, "test").await.unwrap();
    let elsewhere = R::start().await;
    elsewhere.registry().add_client(&client, "test").await.unwrap();
    stand
        .registry()
        .rotate(&"laptop".parse().unwrap(), &second, Duration::from_secs(60), "test")
        .await
        .unwrap();
    stand.back_up("copy.db").await;
    elsewhere.registry().restore(&stand.path("copy.db"), "copy", TTL, "test").await.unwrap();
    let found = elsewhere.only_client().await;
    assert_eq!((linked(&found).secret, linked(&found).previous), (second, Some((client.secret, NOW + 60))));
}

pub async fn a_faulty_backup_changes_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    stand.registry().add_client(&new_client(Some("laptop")), "test").await.unwrap();
    std::fs::write(stand.path("copy.db"), "mine").unwrap();
    for name in ["copy.db", "missing.db"] {
        let refused = stand.registry().restore(&stand.path(name), name, TTL, "test").await;
        assert!(
            matches!(refused, Err(RegistryError::Corrupt(..) | RegistryError::Unavailable(..))),
            "{name}"
        );
    }
    assert_eq!(stand.registry().clients().await.unwrap().len(), 1);
}

pub async fn a_restore_forgives_nobody_who_was_linked_or_unlinked_meanwhile<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (disabled, expiring, other) = (new_client(None), new_client(None), new_client(Some("other")));
    for new in [&disabled, &expiring, &other] {
        registry.add_client(new, "test").await.unwrap();
    }
    stand.back_up("copy.db").await;
    for new in [&disabled, &expiring, &other] {
        registry.revoke(&Selector::Key(new.key), "test").await.unwrap();
    }
    let back = |new: &NewClient, name: Option<&str>| {
        let name = name.map(|name| name.parse().unwrap());
        NewClient { name, secret: Digest::of(new.key.as_bytes()), revive: true, ..new.clone() }
    };
    registry.add_client(&back(&disabled, Some("disabled")), "test").await.unwrap();
    registry.set_disabled(&"disabled".parse().unwrap(), true, "test").await.unwrap();
    let expires = Some(NOW + 9);
    registry.add_client(&NewClient { expires, ..back(&expiring, Some("expiring")) }, "test").await.unwrap();
    registry.add_client(&NewClient { expires, ..back(&other, None) }, "test").await.unwrap();
    let since = generation(registry).await;
    take_back(&stand).await;
    let clients = registry.clients().await.unwrap();
    assert!(!clients.iter().any(|client| client.key == disabled.key), "{clients:?}");
    let expiries: Vec<_> = clients.iter().map(|client| client.expires).collect();
    assert_eq!(expiries, [expires], "the linked one's secret was revoked, and it with that");
    let told = registry.changes(since, &|_| true).await.unwrap();
    assert!(matches!(told, Changes::Everything(_)), "{told:?}");
}
