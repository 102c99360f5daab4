//! Adding, changing and listing clients.

use std::time::Duration;

use msp_core::{Access, ClientStore as _, Grants, Link, RegistryError, Use};
use msp_protocol::{OsRng, Secret};
use msp_registry::SqlRegistry;

use crate::fixture::{Fixture, NOW, generation, linked, new_client};

#[tokio::test]
async fn a_linked_client_keeps_its_name_secret_grants_and_expiry() {
    let fixture = Fixture::new().await;
    let mut new = new_client(Some("laptop"));
    new.grants = Grants::Listed(
        [("sys*".parse().unwrap(), Access::Read), ("disk".parse().unwrap(), Access::Write)].into(),
    );
    new.expires = Some(NOW + 100);
    fixture.registry.add_client(&new, "test").await.unwrap();
    let client = fixture.only_client().await;
    assert_eq!(
        (client.key, client.expires, client.disabled, client.classic),
        (new.key, new.expires, false, false)
    );
    assert_eq!(
        (linked(&client).name.as_str(), linked(&client).secret, linked(&client).added),
        ("laptop", new.secret, NOW)
    );
    let Grants::Listed(listed) = &client.grants else { panic!("{client:?}") };
    let listed: Vec<_> = listed.iter().map(|(pattern, access)| (pattern.as_str(), *access)).collect();
    assert_eq!(listed, [("disk", Access::Write), ("sys*", Access::Read)]);
}

#[tokio::test]
async fn an_unlinked_clients_key_and_secret_are_kept_apart_and_the_log_is_emptied() {
    let fixture = Fixture::new().await;
    let new = new_client(None);
    fixture.registry.add_client(&new, "test").await.unwrap();
    let snapshot = fixture.registry.snapshot().await.unwrap();
    assert_eq!((snapshot.clients[0].key, &snapshot.clients[0].link), (new.key, &Link::Unlinked));
    assert!(snapshot.clients[0].classic);
    assert_eq!(snapshot.secrets[0].digest, new.secret);
    assert_eq!(std::fs::metadata(fixture.path("registry.db-wal")).unwrap().len(), 0);
    let audit = fixture.registry.audit_rows(10).await.unwrap();
    assert_eq!((audit.len(), audit[0].subject.as_str()), (1, new.key.fingerprint().as_str()));
    assert!(!format!("{audit:?}").contains(&new.secret.to_string()));
}

#[tokio::test]
async fn the_rows_of_unlinked_clients_lie_in_no_order_but_that_of_their_digests() {
    let fixture = Fixture::new().await;
    for _ in 0..20 {
        fixture.registry.add_client(&new_client(None), "test").await.unwrap();
    }
    let secrets = fixture.registry.snapshot().await.unwrap().secrets;
    assert!(secrets.is_sorted_by_key(|secret| secret.digest), "kept in the order of the digests");
    let clients = fixture.registry.snapshot().await.unwrap().clients;
    assert!(clients.is_sorted_by_key(|client| client.key.digest()));
}

#[tokio::test]
async fn share_point_23_a_key_a_secret_or_a_name_is_registered_once_and_a_refusal_changes_nothing() {
    let fixture = Fixture::new().await;
    let first = new_client(Some("laptop"));
    let unlinked = new_client(None);
    for new in [&first, &unlinked] {
        fixture.registry.add_client(new, "test").await.unwrap();
    }
    let before = generation(&fixture.registry).await;
    let mut same_key = new_client(Some("other"));
    same_key.key = first.key;
    let mut same_secret = new_client(None);
    same_secret.secret = unlinked.secret;
    let mut linked_secret = new_client(None);
    linked_secret.secret = first.secret;
    for (new, what) in [
        (same_key, "the key"),
        (same_secret, "the secret"),
        (linked_secret, "the secret"),
        (new_client(Some("laptop")), "the name"),
    ] {
        let refused = fixture.registry.add_client(&new, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::AlreadyRegistered(what));
    }
    assert_eq!(generation(&fixture.registry).await, before);
    assert_eq!(fixture.registry.clients().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_23_registrations_in_parallel_lose_nothing() {
    let fixture = Fixture::new().await;
    let adding = (0..60).map(|n| {
        let (url, clock) = (fixture.url(), fixture.clock.clone());
        tokio::spawn(async move {
            let name = format!("client-{n}");
            let registry = SqlRegistry::open(&url, clock).await.unwrap();
            registry.add_client(&new_client((n % 2 == 0).then_some(&name)), "test").await.unwrap();
        })
    });
    for added in futures_util::future::join_all(adding).await {
        added.unwrap();
    }
    let snapshot = fixture.registry.snapshot().await.unwrap();
    assert_eq!((snapshot.clients.len(), snapshot.secrets.len()), (60, 30));
}

#[tokio::test]
async fn every_change_raises_the_generation_and_leaves_its_line_in_the_audit() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let name = "laptop".parse().unwrap();
    registry.add_client(&new_client(Some("laptop")), "admin:kim").await.unwrap();
    registry.set_disabled(&name, true, "admin:kim").await.unwrap();
    registry.set_disabled(&name, false, "admin:kim").await.unwrap();
    registry.set_expiry(&name, Some(NOW + 5), "admin:kim").await.unwrap();
    registry
        .set_grants(&name, &Grants::Listed([("a*".parse().unwrap(), Access::Read)].into()), "admin:kim")
        .await
        .unwrap();
    registry.set_grants(&name, &Grants::Standard, "admin:kim").await.unwrap();
    assert_eq!(fixture.only_client().await.grants, Grants::Standard);
    assert_eq!(generation(registry).await, 7);
    let audit = registry.audit_rows(100).await.unwrap();
    let actions: Vec<_> = audit.iter().rev().map(|row| row.action.as_str()).collect();
    let expected =
        ["client.add", "client.disable", "client.enable", "client.expire", "client.grant", "client.grant"];
    assert_eq!(actions, expected);
    assert!(audit.iter().all(|row| row.actor == "admin:kim" && row.subject == "laptop" && row.at == NOW));
    assert_eq!(registry.audit_rows(2).await.unwrap().len(), 2);
    let nobody = registry.set_expiry(&"nobody".parse().unwrap(), None, "test").await.unwrap_err();
    assert_eq!(nobody, RegistryError::NotFound("linked client"));
}

#[tokio::test]
async fn a_rotation_keeps_the_old_secret_for_the_overlap_and_buries_the_one_before() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let name = "laptop".parse().unwrap();
    let new = new_client(Some("laptop"));
    registry.add_client(&new, "test").await.unwrap();
    let (second, third) = (Secret::generate(&mut OsRng).digest(), Secret::generate(&mut OsRng).digest());
    registry.rotate(&name, &second, Duration::from_secs(60), "test").await.unwrap();
    let client = fixture.only_client().await;
    assert_eq!((linked(&client).secret, linked(&client).previous), (second, Some((new.secret, NOW + 60))));
    registry.rotate(&name, &third, Duration::from_secs(60), "test").await.unwrap();
    assert_eq!(linked(&fixture.only_client().await).previous, Some((second, NOW + 60)));
    let mut again = new_client(None);
    again.secret = new.secret;
    assert_eq!(
        registry.add_client(&again, "test").await.unwrap_err(),
        RegistryError::Tombstone("the secret")
    );
    let ended = registry.end_previous_secret(new.key.digest(), second).await.unwrap();
    assert_eq!(ended, None, "the newest secret alone ends the one before it");
    assert_eq!(linked(&fixture.only_client().await).previous, Some((second, NOW + 60)));
    let ended = registry.end_previous_secret(new.key.digest(), third).await.unwrap();
    assert_eq!(ended, Some(NOW + 300));
    assert_eq!(registry.end_previous_secret(new.key.digest(), third).await.unwrap(), None, "once");
    assert_eq!(linked(&fixture.only_client().await).previous, None);
    again.secret = second;
    assert_eq!(
        registry.add_client(&again, "test").await.unwrap_err(),
        RegistryError::Tombstone("the secret")
    );
}

#[tokio::test]
async fn days_of_use_are_kept_and_change_nothing_that_servers_follow() {
    let fixture = Fixture::new().await;
    let new = new_client(Some("laptop"));
    fixture.registry.add_client(&new, "test").await.unwrap();
    let before = generation(&fixture.registry).await;
    let day = NOW - NOW % 86_400;
    fixture.registry.note_uses(vec![Use { client: new.key.digest(), day }]).await.unwrap();
    assert_eq!(linked(&fixture.only_client().await).last_used, Some(day));
    assert_eq!(generation(&fixture.registry).await, before);
}
