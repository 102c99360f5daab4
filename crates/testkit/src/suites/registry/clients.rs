//! Adding, changing and listing clients.

use std::time::Duration;

use msp_core::{Access, Grants, Link, RegistryError, Use};
use msp_protocol::{OsRng, Secret};

use futures_util::future::join_all;

use super::{NOW, RegistryStand, generation, linked, new_client};

pub async fn a_linked_client_keeps_its_name_secret_grants_and_expiry<R: RegistryStand>() {
    let stand = R::start().await;
    let mut new = new_client(Some("laptop"));
    new.grants = Grants::Listed(
        [("sys*".parse().unwrap(), Access::Read), ("disk".parse().unwrap(), Access::Write)].into(),
    );
    new.expires = Some(NOW + 100);
    stand.registry().add_client(&new, "test").await.unwrap();
    let client = stand.only_client().await;
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

pub async fn an_unlinked_clients_key_and_secret_are_kept_apart<R: RegistryStand>() {
    let stand = R::start().await;
    let new = new_client(None);
    stand.registry().add_client(&new, "test").await.unwrap();
    let snapshot = stand.registry().snapshot().await.unwrap();
    assert_eq!((snapshot.clients[0].key, &snapshot.clients[0].link), (new.key, &Link::Unlinked));
    assert!(snapshot.clients[0].classic);
    assert_eq!(snapshot.secrets[0].digest, new.secret);
    let audit = stand.registry().audit_rows(10).await.unwrap();
    assert_eq!((audit.len(), audit[0].subject.as_str()), (1, new.key.fingerprint().as_str()));
    assert!(!format!("{audit:?}").contains(&new.secret.to_string()));
}

pub async fn the_rows_of_unlinked_clients_lie_in_no_order_but_that_of_their_digests<R: RegistryStand>() {
    let stand = R::start().await;
    for _ in 0..20 {
        stand.registry().add_client(&new_client(None), "test").await.unwrap();
    }
    let secrets = stand.registry().snapshot().await.unwrap().secrets;
    assert!(secrets.is_sorted_by_key(|secret| secret.digest), "kept in the order of the digests");
    let clients = stand.registry().snapshot().await.unwrap().clients;
    assert!(clients.is_sorted_by_key(|client| client.key.digest()));
}

pub async fn share_point_23_a_key_a_secret_or_a_name_is_registered_once_and_a_refusal_changes_nothing<
    R: RegistryStand,
>() {
    let stand = R::start().await;
    let first = new_client(Some("laptop"));
    let unlinked = new_client(None);
    for new in [&first, &unlinked] {
        stand.registry().add_client(new, "test").await.unwrap();
    }
    let before = generation(stand.registry()).await;
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
        let refused = stand.registry().add_client(&new, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::AlreadyRegistered(what));
    }
    assert_eq!(generation(stand.registry()).await, before);
    assert_eq!(stand.registry().clients().await.unwrap().len(), 2);
}

pub async fn share_point_23_registrations_in_parallel_lose_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    let adding = (0..60).map(|n| {
        let opening = stand.opened_again();
        async move {
            let name = format!("client-{n}");
            let registry = opening.await;
            registry.add_client(&new_client((n % 2 == 0).then_some(&name)), "test").await.unwrap();
        }
    });
    join_all(adding).await;
    let snapshot = stand.registry().snapshot().await.unwrap();
    assert_eq!((snapshot.clients.len(), snapshot.secrets.len()), (60, 30));
}

pub async fn every_change_raises_the_generation_and_leaves_its_line_in_the_audit<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
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
    assert_eq!(stand.only_client().await.grants, Grants::Standard);
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

pub async fn a_rotation_keeps_the_old_secret_for_the_overlap_and_buries_the_one_before<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let name = "laptop".parse().unwrap();
    let new = new_client(Some("laptop"));
    registry.add_client(&new, "test").await.unwrap();
    let (second, third) = (Secret::generate(&mut OsRng).digest(), Secret::generate(&mut OsRng).digest());
    registry.rotate(&name, &second, Duration::from_secs(60), "test").await.unwrap();
    let client = stand.only_client().await;
    assert_eq!((linked(&client).secret, linked(&client).previous), (second, Some((new.secret, NOW + 60))));
    registry.rotate(&name, &third, Duration::from_secs(60), "test").await.unwrap();
    assert_eq!(linked(&stand.only_client().await).previous, Some((second, NOW + 60)));
    let mut again = new_client(None);
    again.secret = new.secret;
    assert_eq!(
        registry.add_client(&again, "test").await.unwrap_err(),
        RegistryError::Tombstone("the secret")
    );
    let ended = registry.end_previous_secret(new.key.digest(), second).await.unwrap();
    assert_eq!(ended, None, "the newest secret alone ends the one before it");
    assert_eq!(linked(&stand.only_client().await).previous, Some((second, NOW + 60)));
    let ended = registry.end_previous_secret(new.key.digest(), third).await.unwrap();
    assert_eq!(ended, Some(NOW + 300));
    assert_eq!(registry.end_previous_secret(new.key.digest(), third).await.unwrap(), None, "once");
    assert_eq!(linked(&stand.only_client().await).previous, None);
    again.secret = second;
    assert_eq!(
        registry.add_client(&again, "test").await.unwrap_err(),
        RegistryError::Tombstone("the secret")
    );
}

pub async fn days_of_use_are_kept_and_change_nothing_that_servers_follow<R: RegistryStand>() {
    let stand = R::start().await;
    let new = new_client(Some("laptop"));
    stand.registry().add_client(&new, "test").await.unwrap();
    let before = generation(stand.registry()).await;
    let day = NOW - NOW % 86_400;
    stand.registry().note_uses(vec![Use { client: new.key.digest(), day }]).await.unwrap();
    assert_eq!(linked(&stand.only_client().await).last_used, Some(day));
    assert_eq!(generation(stand.registry()).await, before);
}
