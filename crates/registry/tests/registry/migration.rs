//! A registry that an earlier version has left. Each file was made by it and is kept as it was.

use std::sync::Arc;
use std::time::Duration;

use msp_core::{Access, Grants, Link, Registry, RegistryError};

use msp_testkit::suites::registry::{NOW, RegistryStand as _, linked, new_client, new_user, user};

use crate::fixture::Fixture;

/// The day, in 2024, that unlinked keys were last used, and the second at which the file's principals were added.
const DAY: u64 = 1_711_756_800;
const TTL: Duration = Duration::from_secs(30);

#[tokio::test]
async fn everybody_of_a_registry_of_schema_3_is_there_as_before() {
    let fixture = Fixture::start().await;
    fixture.registry.close().await;
    std::fs::write(fixture.path("registry.db"), include_bytes!("kept/schema-3.db")).unwrap();
    assert_eq!(
        msp_registry::inspect::count_clients(&fixture.url()).await.unwrap(),
        Some(4),
        "looked at before it is moved"
    );
    let registry = fixture.opened_again().await;
    assert_eq!(msp_registry::inspect::count_clients(&fixture.url()).await.unwrap(), Some(4));

    let clients = registry.clients().await.unwrap();
    let [laptop, nas, one, other] = clients.as_slice() else { panic!("{clients:?}") };
    let expected = [("rpc/*", Access::Write), ("sys*", Access::Read)]
        .map(|(pattern, access)| (pattern.parse().unwrap(), access));
    assert_eq!((linked(laptop).name.as_str(), &laptop.grants), ("laptop", &Grants::Listed(expected.into())));
    assert!(
        laptop.disabled && !laptop.classic && laptop.expires.is_none() && linked(laptop).previous.is_none()
    );
    assert_eq!((linked(nas).name.as_str(), &nas.grants), ("nas", &Grants::Standard));
    assert!(!nas.disabled && nas.classic && nas.expires.is_some() && linked(nas).previous.is_some());
    assert!(linked(nas).added > DAY && linked(nas).last_used.is_none());
    let mut grants = Vec::new();
    for unlinked in [one, other] {
        assert_eq!((&unlinked.link, unlinked.classic, unlinked.expires), (&Link::Unlinked, true, None));
        grants.push(unlinked.grants.clone());
    }
    let listed = Grants::Listed([("time*".parse().unwrap(), Access::Read)].into());
    assert!(grants.contains(&listed) && grants.contains(&Grants::Standard), "{grants:?}");

    let keys = registry.api_keys().await.unwrap();
    let names: Vec<_> = keys.iter().map(|key| (key.name.as_str(), key.allow_query)).collect();
    assert_eq!(names, [("deploy", true), ("nas", false)]);
    let plugins = Grants::Listed([("plugin/list".parse().unwrap(), Access::Read)].into());
    assert_eq!((&keys[0].grants, &keys[1].grants), (&plugins, &Grants::Standard));

    let marks = registry.marks().await.unwrap();
    let laptop = laptop.key.digest();
    assert_eq!((marks.accepted_until, marks.clients.as_slice()), (NOW, &[(laptop, 1_711_804_900)][..]));
    assert_eq!((marks.ahead.len(), marks.ahead[0].client), (1, laptop));
    assert_eq!(registry.audit_rows(1).await.unwrap()[0].actor, "admin:kim");
    let raw = fixture.raw("registry.db").await;
    let used =
        sqlx::query_as::<_, (i64,)>("SELECT last_used FROM unlinked_keys").fetch_all(&raw).await.unwrap();
    assert_eq!(used, [(1_711_756_800,), (1_711_756_800,)]);
    assert_eq!(registry.snapshot().await.unwrap().secrets.len(), 2);
}

#[tokio::test]
async fn everybody_of_a_registry_of_schema_4_is_there_as_before_and_there_are_no_users() {
    let fixture = Fixture::start().await;
    fixture.registry.close().await;
    std::fs::write(fixture.path("registry.db"), include_bytes!("kept/schema-4.db")).unwrap();
    assert_eq!(msp_registry::inspect::count_clients(&fixture.url()).await.unwrap(), Some(4));
    let registry = fixture.opened_again().await;
    assert_eq!(msp_registry::inspect::count_clients(&fixture.url()).await.unwrap(), Some(4));
    assert_eq!(names(&registry).await, ["laptop", "nas", "-", "-"]);
    let keys = registry.api_keys().await.unwrap();
    assert_eq!(keys.iter().map(|key| key.name.as_str()).collect::<Vec<_>>(), ["deploy", "nas"]);
    assert_eq!(registry.marks().await.unwrap().accepted_until, NOW);
    assert_eq!(registry.users().await.unwrap(), []);
    registry.add_user(&new_user("kim"), "test").await.unwrap();
    assert_eq!(registry.users().await.unwrap(), [user(&registry, "kim").await]);
    assert_eq!(registry.snapshot().await.unwrap().generation, GENERATION_4 + 1);
}

/// The number of changes that the registry of schema 4 has seen.
const GENERATION_4: u64 = 11;

#[tokio::test]
async fn a_backup_of_an_earlier_schema_is_restored_and_stays_as_it_is() {
    let kept = [&include_bytes!("kept/schema-3.db")[..], &include_bytes!("kept/schema-4.db")[..]];
    for (schema, bytes) in [3, 4].into_iter().zip(kept) {
        let fixture = Fixture::start().await;
        let registry = &fixture.registry;
        registry.add_user(&new_user("kim"), "test").await.unwrap();
        let copy = fixture.path("copy.db");
        std::fs::write(&copy, bytes).unwrap();
        let restored = registry.restore(&copy, "copy.db", TTL, "test").await.unwrap();
        assert_eq!((restored.clients, restored.api_keys, restored.users), (4, 2, 0), "schema {schema}");
        assert_eq!(names(registry).await, ["laptop", "nas", "-", "-"]);
        assert_eq!(registry.users().await.unwrap(), []);
        assert_eq!(std::fs::read(&copy).unwrap(), bytes);
        let mut left: Vec<_> = std::fs::read_dir(fixture.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.starts_with("registry.db"))
            .collect();
        left.sort();
        assert_eq!(left, ["copy.db"], "nothing else is left behind");
    }
}

#[tokio::test]
async fn an_empty_file_is_no_backup() {
    let fixture = Fixture::start().await;
    std::fs::write(fixture.path("copy.db"), "").unwrap();
    let refused = fixture.registry.restore(&fixture.path("copy.db"), "copy.db", TTL, "test").await;
    assert!(matches!(&refused, Err(RegistryError::Corrupt(place, _)) if place == "copy.db"), "{refused:?}");
}

/// The names of its clients, `-` for those who have none.
async fn names(registry: &Arc<dyn Registry>) -> Vec<String> {
    let clients = registry.clients().await.unwrap();
    let name = |client: &msp_core::ClientRecord| match &client.link {
        Link::Linked(linked) => linked.name.to_string(),
        Link::Unlinked => "-".to_owned(),
    };
    clients.iter().map(name).collect()
}

#[tokio::test]
async fn what_was_revoked_under_schema_3_stays_revoked_and_changes_go_on() {
    let fixture = Fixture::start().await;
    fixture.registry.close().await;
    std::fs::write(fixture.path("registry.db"), include_bytes!("kept/schema-3.db")).unwrap();
    let registry = fixture.opened_again().await;
    let raw = fixture.raw("registry.db").await;
    let buried =
        sqlx::query_as::<_, (Vec<u8>,)>("SELECT digest FROM tombstones").fetch_all(&raw).await.unwrap();
    assert_eq!(buried.len(), 2, "a key and its secret");
    let mut again = new_client(Some("again"));
    again.secret = msp_protocol::Digest::from_stored(buried[0].0.clone().try_into().unwrap());
    let refused = registry.add_client(&again, "test").await.unwrap_err();
    assert_eq!(refused, RegistryError::Tombstone("the secret"));
    registry.set_disabled(&"laptop".parse().unwrap(), false, "test").await.unwrap();
    registry
        .rotate(&"nas".parse().unwrap(), &again.key.digest(), std::time::Duration::ZERO, "test")
        .await
        .unwrap();
    registry.revoke_api_key(&"nas".parse().unwrap(), "test").await.unwrap();
    registry.add_client(&new_client(Some("later")), "test").await.unwrap();
    registry.add_client(&new_client(None), "test").await.unwrap();
    assert_eq!((registry.clients().await.unwrap().len(), registry.api_keys().await.unwrap().len()), (6, 1));
}

#[tokio::test]
async fn an_unlinked_key_that_a_restore_had_disabled_does_not_come_back_by_the_migration() {
    let fixture = Fixture::start().await;
    fixture.registry.close().await;
    std::fs::write(fixture.path("registry.db"), include_bytes!("kept/schema-3.db")).unwrap();
    let url = format!("sqlite://{}", fixture.path("registry.db").display());
    let raw = sqlx::AnyPool::connect(&url).await.unwrap();
    let one = "UPDATE clients SET disabled = 1 WHERE key_digest = (SELECT key_digest FROM clients WHERE name IS NULL \
               AND standard = 0)";
    assert_eq!(sqlx::query(one).execute(&raw).await.unwrap().rows_affected(), 1);
    raw.close().await;
    let registry = fixture.opened_again().await;
    let unlinked =
        registry.clients().await.unwrap().into_iter().filter(|client| client.link == Link::Unlinked);
    assert_eq!(unlinked.map(|client| client.grants).collect::<Vec<_>>(), [Grants::Standard]);
    let raw = sqlx::AnyPool::connect(&url).await.unwrap();
    let buried =
        sqlx::query_as::<_, (Vec<u8>,)>("SELECT digest FROM tombstones").fetch_all(&raw).await.unwrap();
    assert_eq!(buried.len(), 3);
    let left = sqlx::query_as::<_, (String,)>("SELECT pattern FROM grants").fetch_all(&raw).await.unwrap();
    assert!(!left.contains(&("time*".to_owned(),)), "{left:?}");
}
