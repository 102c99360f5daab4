//! Clients of the Python original.

use msp_core::{Grants, Imported, Link, OriginalClients, Selector};

use super::{RegistryStand, generation, new_client};

/// Two keys and two secrets, of which nothing says which belong together.
fn original() -> OriginalClients {
    let clients = [new_client(None), new_client(None)];
    OriginalClients {
        keys: clients.iter().map(|client| client.key).collect(),
        secrets: clients.iter().map(|client| client.secret).collect(),
    }
}

async fn import(stand: &impl RegistryStand, clients: &OriginalClients, revive: bool) -> (usize, usize) {
    let imported = stand.registry().import(clients.clone(), revive).await.unwrap();
    (imported.keys_added, imported.secrets_added)
}

pub async fn what_is_not_known_yet_is_taken_in_unlinked_and_once<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let mut clients = original();
    assert_eq!(import(&stand, &clients, false).await, (2, 2));
    let snapshot = registry.snapshot().await.unwrap();
    let mut keys: Vec<_> = snapshot.clients.iter().map(|client| client.key).collect();
    keys.sort();
    clients.keys.sort();
    assert_eq!(keys, clients.keys);
    assert!(snapshot.secrets.iter().map(|secret| &secret.digest).eq(&clients.secrets));
    for client in &snapshot.clients {
        assert_eq!(
            (&client.link, &client.grants, client.classic),
            (&Link::Unlinked, &Grants::Standard, true)
        );
    }
    assert_eq!(registry.audit_rows(10).await.unwrap().len(), 1);

    assert_eq!(import(&stand, &clients, false).await, (0, 0));
    clients.keys.push(new_client(None).key);
    clients.keys.push(clients.keys[2]);
    assert_eq!(import(&stand, &clients, false).await, (1, 0), "one that is new, named twice");
    assert_eq!(registry.audit_rows(10).await.unwrap().len(), 2, "of what changed nothing there is no line");
}

pub async fn nothing_to_take_in_changes_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    let before = generation(stand.registry()).await;
    let imported = stand.registry().import(OriginalClients::default(), true).await.unwrap();
    assert_eq!(imported, Imported::default());
    assert_eq!(generation(stand.registry()).await, before);
}

pub async fn who_is_linked_already_stays_so<R: RegistryStand>() {
    let stand = R::start().await;
    let linked = new_client(Some("laptop"));
    stand.registry().add_client(&linked, "test").await.unwrap();
    let clients = OriginalClients { keys: vec![linked.key], secrets: [linked.secret].into() };
    assert_eq!(import(&stand, &clients, false).await, (0, 0));
    assert!(matches!(stand.only_client().await.link, Link::Linked(_)));
    assert!(stand.registry().snapshot().await.unwrap().secrets.is_empty());
}

pub async fn share_point_31_what_was_revoked_is_not_taken_in_again_unless_revived<R: RegistryStand>() {
    let stand = R::start().await;
    let clients = original();
    assert_eq!(import(&stand, &clients, false).await, (2, 2));
    let secret = *clients.secrets.iter().next().unwrap();
    for selector in [Selector::Key(clients.keys[0]), Selector::Secret(secret)] {
        stand.registry().revoke(&selector, "test").await.unwrap();
    }
    assert_eq!(import(&stand, &clients, false).await, (0, 0));
    assert_eq!(import(&stand, &clients, true).await, (1, 1));
}
