//! Taking clients out, and keeping them out.

use msp_core::{Link, Purged, RegistryError, Revoked, Selector};

use super::{RegistryStand, new_client};

pub async fn a_revoked_linked_client_is_gone_with_its_secret_and_comes_back_only_when_revived<
    R: RegistryStand,
>() {
    let stand = R::start().await;
    let mut new = new_client(Some("laptop"));
    stand.registry().add_client(&new, "test").await.unwrap();
    let revoked = stand.registry().revoke(&Selector::Secret(new.secret), "test").await.unwrap();
    assert_eq!(revoked, Revoked::Linked("laptop".parse().unwrap()));
    assert!(stand.registry().clients().await.unwrap().is_empty());
    let refused = stand.registry().add_client(&new, "test").await.unwrap_err();
    assert_eq!(refused, RegistryError::Tombstone("the key"));
    new.revive = true;
    stand.registry().add_client(&new, "test").await.unwrap();
    assert!(matches!(stand.only_client().await.link, Link::Linked(_)));
}

pub async fn of_an_unlinked_client_key_and_secret_are_revoked_each_by_itself<R: RegistryStand>() {
    let stand = R::start().await;
    let new = new_client(None);
    stand.registry().add_client(&new, "test").await.unwrap();
    let registry = stand.registry();
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

pub async fn a_purge_takes_everyone_out_in_one_step<R: RegistryStand>() {
    let stand = R::start().await;
    let (linked, unlinked) = (new_client(Some("laptop")), new_client(None));
    for new in [&linked, &unlinked] {
        stand.registry().add_client(new, "test").await.unwrap();
    }
    assert_eq!(stand.registry().purge("test").await.unwrap(), Purged { clients: 2, secrets: 1 });
    assert!(stand.registry().clients().await.unwrap().is_empty());
    for new in [&linked, &unlinked] {
        let refused = stand.registry().add_client(new, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::Tombstone("the key"));
    }
    assert_eq!(stand.registry().purge("test").await.unwrap(), Purged { clients: 0, secrets: 0 });
}
