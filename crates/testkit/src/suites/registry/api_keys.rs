//! Keys of REST callers.

use std::time::Duration;

use msp_core::{Access, ApiKeyRecord, Grants, NewApiKey, RegistryError, Use};
use msp_protocol::{ApiKey, OsRng};

use super::{NOW, RegistryStand, generation, new_client};

/// An api key that is not registered yet.
fn new_key(name: &str) -> NewApiKey {
    NewApiKey {
        name: name.parse().unwrap(),
        digest: ApiKey::generate(&mut OsRng).digest(),
        grants: Grants::Standard,
        expires: None,
        allow_query: false,
    }
}

async fn names(stand: &impl RegistryStand) -> Vec<String> {
    let keys = stand.registry().api_keys().await.unwrap();
    keys.iter().map(|key| key.name.to_string()).collect()
}

pub async fn an_api_key_is_in_the_snapshot_with_all_it_was_added_with_and_stays_when_expired<
    R: RegistryStand,
>() {
    let stand = R::start().await;
    let mut new = new_key("deploy");
    let grant = |pattern: &str, access| (pattern.parse().unwrap(), access);
    new.grants = Grants::Listed(
        [
            grant("plugin/list", Access::Read),
            grant("plugin/reload", Access::Write),
            grant("plugin/reload", Access::Read),
        ]
        .into(),
    );
    new.expires = Some(NOW - 1);
    new.allow_query = true;
    stand.registry().add_api_key(&new, "test").await.unwrap();
    stand.registry().add_api_key(&new_key("plain"), "test").await.unwrap();
    let snapshot = stand.opened_again().await.snapshot().await.unwrap();
    let deploy = snapshot.api_keys.iter().find(|key| key.digest == new.digest).unwrap();
    let expected = ApiKeyRecord {
        name: "deploy".parse().unwrap(),
        digest: new.digest,
        grants: Grants::Listed(
            [grant("plugin/list", Access::Read), grant("plugin/reload", Access::Write)].into(),
        ),
        expires: Some(NOW - 1),
        allow_query: true,
        added: NOW,
        last_used: None,
    };
    assert_eq!(*deploy, expected);
    let plain = snapshot.api_keys.iter().find(|key| key.name.as_str() == "plain").unwrap();
    assert_eq!((&plain.grants, plain.expires, plain.allow_query), (&Grants::Standard, None, false));
    assert_eq!((snapshot.api_keys.len(), snapshot.clients.len()), (2, 0));
}

pub async fn a_key_or_a_name_is_registered_once_and_a_refusal_changes_nothing<R: RegistryStand>() {
    let stand = R::start().await;
    let first = new_key("deploy");
    stand.registry().add_api_key(&first, "test").await.unwrap();
    let before = generation(stand.registry()).await;
    let mut same_key = new_key("other");
    same_key.digest = first.digest;
    for (new, what) in [(same_key, "the api key"), (new_key("deploy"), "the name")] {
        let refused = stand.registry().add_api_key(&new, "test").await.unwrap_err();
        assert_eq!(refused, RegistryError::AlreadyRegistered(what));
    }
    assert_eq!(generation(stand.registry()).await, before);
    assert_eq!(names(&stand).await, ["deploy"]);
    stand.registry().add_client(&new_client(Some("deploy")), "test").await.unwrap();
}

pub async fn a_revoked_key_is_gone_with_its_grants_and_never_comes_back_while_its_name_is_free<
    R: RegistryStand,
>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (name, mut revoked) = ("deploy".parse().unwrap(), new_key("deploy"));
    revoked.grants = Grants::Listed([("a*".parse().unwrap(), Access::Read)].into());
    registry.add_api_key(&revoked, "test").await.unwrap();
    registry.revoke_api_key(&name, "test").await.unwrap();
    assert!(registry.snapshot().await.unwrap().api_keys.is_empty());
    let refused = registry.add_api_key(&revoked, "test").await.unwrap_err();
    assert_eq!(refused, RegistryError::Tombstone("the api key"));
    registry.add_api_key(&new_key("deploy"), "test").await.unwrap();
    registry.revoke_api_key(&name, "test").await.unwrap();
    let nobody = registry.revoke_api_key(&name, "test").await.unwrap_err();
    assert_eq!(nobody, RegistryError::NotFound("api key"));
}

pub async fn every_change_raises_the_generation_and_its_audit_line_holds_no_digest<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let mut new = new_key("deploy");
    new.grants = Grants::Listed([("plugin/reload".parse().unwrap(), Access::Write)].into());
    new.allow_query = true;
    let before = generation(registry).await;
    registry.add_api_key(&new, "admin:kim").await.unwrap();
    registry.revoke_api_key(&new.name, "admin:kim").await.unwrap();
    assert_eq!(generation(registry).await, before + 2);
    let audit = registry.audit_rows(10).await.unwrap();
    let lines: Vec<_> = audit.iter().map(|row| (row.action.as_str(), row.detail.as_str())).collect();
    let added = ("apikey.add", "write plugin/reload; accepted from a query");
    assert_eq!(lines, [("apikey.revoke", ""), added]);
    assert!(audit.iter().all(|row| row.actor == "admin:kim" && row.subject == "deploy" && row.at == NOW));
    assert!(!format!("{audit:?}").contains(&new.digest.to_string()));
}

pub async fn days_of_use_are_kept_for_a_client_and_an_api_key_alike<R: RegistryStand>() {
    let stand = R::start().await;
    let (client, key) = (new_client(Some("laptop")), new_key("deploy"));
    stand.registry().add_client(&client, "test").await.unwrap();
    stand.registry().add_api_key(&key, "test").await.unwrap();
    let before = generation(stand.registry()).await;
    let day = NOW - NOW % 86_400;
    let uses = [(client.key.digest(), day), (key.digest, day + 86_400)];
    let uses = uses.map(|(client, day)| Use { client, day });
    stand.registry().note_uses(uses.into()).await.unwrap();
    let snapshot = stand.registry().snapshot().await.unwrap();
    assert_eq!(super::linked(&snapshot.clients[0]).last_used, Some(day));
    assert_eq!(snapshot.api_keys[0].last_used, Some(day + 86_400));
    assert_eq!(snapshot.generation, before);
}

pub async fn a_backup_brings_api_keys_back_but_none_that_was_revoked_since<R: RegistryStand>() {
    let stand = R::start().await;
    let registry = stand.registry();
    let (mut stays, revoked) = (new_key("stays"), new_key("revoked"));
    stays.grants = Grants::Listed([("sys*".parse().unwrap(), Access::Read)].into());
    for new in [&stays, &revoked] {
        registry.add_api_key(new, "test").await.unwrap();
    }
    let kept = registry.api_keys().await.unwrap();
    stand.back_up("copy.db").await;
    for name in ["stays", "revoked"] {
        registry.revoke_api_key(&name.parse().unwrap(), "test").await.unwrap();
    }
    // Another key under the same name, added since the backup, is not in it.
    registry.add_api_key(&new_key("revoked"), "test").await.unwrap();
    let elsewhere = R::start().await;
    let ttl = Duration::from_secs(30);

    let restored = registry.restore(&stand.path("copy.db"), "copy.db", ttl, "test").await.unwrap();
    assert_eq!((restored.api_keys, restored.revoked), (0, 2));
    assert!(names(&stand).await.is_empty());
    let restored =
        elsewhere.registry().restore(&stand.path("copy.db"), "copy.db", ttl, "test").await.unwrap();
    assert_eq!((restored.api_keys, restored.revoked), (2, 0));
    assert_eq!(elsewhere.registry().api_keys().await.unwrap(), kept);
    assert_eq!(
        elsewhere.registry().audit_rows(1).await.unwrap()[0].detail,
        "0 clients, 2 api keys, 0 users; 0 of the backup stay revoked"
    );
}

pub async fn a_purge_of_all_clients_leaves_api_keys<R: RegistryStand>() {
    let stand = R::start().await;
    stand.registry().add_api_key(&new_key("deploy"), "test").await.unwrap();
    stand.registry().purge("test").await.unwrap();
    assert_eq!(names(&stand).await, ["deploy"]);
}
