//! Taking clients out, and keeping them out.

use msp_core::{Link, Purged, RegistryError, Revoked, Selector};

use crate::fixture::{Fixture, new_client};

#[tokio::test]
async fn a_revoked_linked_client_is_gone_with_its_secret_and_comes_back_only_when_revived() {
    let fixture = Fixture::new().await;
    let mut new = new_client(Some("laptop"));
    fixture.registry.add_client(&new, "test").await.unwrap();
    let revoked = fixture.registry.revoke(&Selector::Secret(new.secret), "test").await.unwrap();
    assert_eq!(revoked, Revoked::Linked("laptop".parse().unwrap()));
    assert!(fixture.registry.clients().await.unwrap().is_empty());
    let refused = fixture.registry.add_client(&new, "test").await.unwrap_err();
    assert_eq!(refused, RegistryError::Tombstone("the key"));
    new.revive = true;
    fixture.registry.add_client(&new, "test").await.unwrap();
    assert!(matches!(fixture.only_client().await.link, Link::Linked(_)));
}

#[tokio::test]
async fn of_an_unlinked_client_key_and_secret_are_revoked_each_by_itself() {
    let fixture = Fixture::new().await;
    let new = new_client(None);
    fixture.registry.add_client(&new, "test").await.unwrap();
    let registry = &fixture.registry;
    assert_eq!(registry.revoke(&Selector::Key(new.key), "test").await.unwrap(), Revoked::UnlinkedKey);
    assert_eq!(
        registry.revoke(&Selector::Secret(new.secret), "test").await.unwrap(),
        Revoked::UnlinkedSecret
    );
    for (selector, what) in [(Selector::Key(new.key), "key"), (Selector::Secret(new.secret), "secret")] {
        assert_eq!(registry.revoke(&selector, "test").await.unwrap_err(), RegistryError::NotFound(what));
    }
    let audit = format!("{:?}", registry.audit_rows(10).await.unwrap());
    assert!(!audit.contains(&new.secret.to_string()), "{audit}");
}

#[tokio::test]
async fn a_purge_takes_everyone_out_in_one_step() {
    let fixture = Fixture::new().await;
    let (linked, unlinked) = (new_client(Some("laptop")), new_client(None));
    for new in [&linked, &unlinked] {
        fixture.registry.add_client(new, "test").await.unwrap();
    }
    assert_eq!(fixture.registry.purge("test").await.unwrap(), Purged { clients: 2, secrets: 1 });
    assert!(fixture.registry.clients().await.unwrap().is_empty());
    for new in [&linked, &unlinked] {
        let refused = fixture.registry.add_client(new, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::Tombstone("the key"));
    }
    assert_eq!(fixture.registry.purge("test").await.unwrap(), Purged { clients: 0, secrets: 0 });
}
