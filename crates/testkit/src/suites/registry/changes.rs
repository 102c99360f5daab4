//! What a server that follows is told to read again.

use msp_core::{Changed, Changes, Grants, NewApiKey, OriginalClients, Principal, Selector};
use msp_protocol::Digest;

use super::{RegistryStand, generation, new_client};

async fn told_since(stand: &impl RegistryStand, since: u64) -> Changes {
    stand.registry().changes(since, &|_| false).await.unwrap()
}

async fn changed_since(stand: &impl RegistryStand, since: u64) -> Changed {
    match told_since(stand, since).await {
        Changes::Some(changed) => changed,
        other => panic!("{other:?}"),
    }
}

fn digests(changed: &Changed) -> Vec<Digest> {
    changed.principals.iter().map(|(digest, _)| *digest).collect()
}

pub async fn each_change_of_one_principal_is_told_alone<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    registry.add_client(&new_client(Some("other")), "test").await.unwrap();
    let start = generation(registry).await;
    assert!(matches!(told_since(&stand, start).await, Changes::Nothing));
    let (new, name) = (new_client(Some("laptop")), "laptop".parse().unwrap());
    let key = new.key.digest();
    registry.add_client(&new, "test").await.unwrap();
    let changed = changed_since(&stand, start).await;
    assert_eq!((changed.generation, digests(&changed)), (start + 1, vec![key]));
    assert!(changed.unlinked.is_none());
    let [(_, Some(Principal::Client(client)))] = changed.principals.as_slice() else { panic!("{changed:?}") };
    assert_eq!((client.key, &client.grants), (new.key, &Grants::Standard));

    let listed = Grants::Listed([("a*".parse().unwrap(), msp_core::Access::Read)].into());
    registry.set_grants(&name, &listed, "test").await.unwrap();
    registry.set_disabled(&name, true, "test").await.unwrap();
    registry.set_expiry(&name, Some(7), "test").await.unwrap();
    registry.rotate(&name, &Digest::of(b"new"), std::time::Duration::from_secs(9), "test").await.unwrap();
    registry.end_previous_secret(key, Digest::of(b"new")).await.unwrap();
    let changed = changed_since(&stand, start + 1).await;
    assert_eq!((changed.generation, digests(&changed)), (start + 6, vec![key]));
    let Some((_, Some(Principal::Client(client)))) = changed.principals.first() else {
        panic!("{changed:?}")
    };
    assert_eq!((&client.grants, client.disabled, client.expires), (&listed, true, Some(7)));
    registry.revoke(&Selector::Name(name), "test").await.unwrap();
    assert_eq!(changed_since(&stand, start + 6).await.principals, [(key, None)]);
}

pub async fn api_keys_are_told_like_clients<R: RegistryStand>() {
    let stand = R::start().await;
    let (registry, name) = (stand.registry(), "deploy".parse().unwrap());
    let digest = Digest::of(b"a key");
    let new = NewApiKey { name, digest, grants: Grants::Standard, expires: None, allow_query: true };
    registry.add_api_key(&new, "test").await.unwrap();
    let changed = changed_since(&stand, 1).await;
    let [(told, Some(Principal::ApiKey(key)))] = changed.principals.as_slice() else { panic!("{changed:?}") };
    assert_eq!((*told, key.digest, key.allow_query), (digest, digest, true));
    registry.revoke_api_key(&new.name, "test").await.unwrap();
    assert_eq!(changed_since(&stand, 2).await.principals, [(digest, None)]);
}

pub async fn of_unlinked_clients_one_row_says_that_they_have_changed_and_only_new_ones_are_read<
    R: RegistryStand,
>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (first, second, third) = (new_client(None), new_client(None), new_client(None));
    registry.add_client(&first, "test").await.unwrap();
    registry.add_client(&second, "test").await.unwrap();
    let since = generation(registry).await;
    registry.add_client(&third, "test").await.unwrap();
    let known = [first.key.digest(), second.key.digest()];
    let told = registry.changes(since, &|digest| known.contains(digest)).await.unwrap();
    let Changes::Some(Changed { principals, unlinked: Some(unlinked), .. }) = told else {
        panic!("{told:?}")
    };
    assert!(principals.is_empty());
    assert_eq!((unlinked.keys.len(), unlinked.secrets.len()), (3, 3));
    assert_eq!(unlinked.new.iter().map(|client| client.key).collect::<Vec<_>>(), [third.key]);
    registry.revoke(&Selector::Key(first.key), "test").await.unwrap();
    registry.revoke(&Selector::Secret(first.secret), "test").await.unwrap();
    let changed = changed_since(&stand, since).await;
    let unlinked = changed.unlinked.unwrap();
    assert_eq!((unlinked.keys.len(), unlinked.secrets.len(), unlinked.new.len()), (2, 2, 2));
}

pub async fn who_is_far_behind_or_ahead_reads_everything<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    registry.add_client(&new_client(Some("laptop")), "test").await.unwrap();
    let everything = async |since| matches!(told_since(&stand, since).await, Changes::Everything(_));
    assert!(everything(0).await, "before the feed began");
    assert!(everything(99).await, "a registry that is younger than what is known");
    let since = generation(registry).await;
    registry.purge("test").await.unwrap();
    assert!(everything(since).await, "a purge");
    let since = generation(registry).await;
    assert!(matches!(told_since(&stand, since).await, Changes::Nothing));
    registry.import(OriginalClients::default(), false).await.unwrap();
    assert!(matches!(told_since(&stand, since).await, Changes::Nothing), "nothing was imported");
}

pub async fn who_comes_back_is_read_anew_whatever_it_was_before<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (unlinked, linked) = (new_client(None), new_client(Some("laptop")));
    for new in [&unlinked, &linked] {
        registry.add_client(new, "test").await.unwrap();
    }
    let since = generation(registry).await;
    for key in [unlinked.key, linked.key] {
        registry.revoke(&Selector::Key(key), "test").await.unwrap();
    }
    // Both digests are known to the server, and neither is what it knows.
    for (mut again, expires) in [(unlinked, Some(7)), (linked, None)] {
        (again.name, again.expires, again.revive) = (None, expires, true);
        again.secret = Digest::of(again.key.as_bytes());
        registry.add_client(&again, "test").await.unwrap();
    }
    let told = registry.changes(since, &|_| true).await.unwrap();
    let Changes::Everything(snapshot) = told else { panic!("{told:?}") };
    assert_eq!(snapshot.clients.len(), 2);
    assert_eq!(snapshot.clients.iter().filter(|client| client.expires == Some(7)).count(), 1);
}
