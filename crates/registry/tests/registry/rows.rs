//! What no trait shows: the rows themselves, and a file that somebody else has changed.

use std::time::Duration;

use msp_core::{Access, Changes, Grants, NewApiKey, RegistryError, Selector};
use msp_protocol::Digest;
use msp_testkit::suites::registry::{RegistryStand as _, generation, new_client};

use crate::fixture::Fixture;

const TTL: Duration = Duration::from_secs(30);

#[tokio::test]
async fn of_an_unlinked_client_the_log_keeps_nothing() {
    let fixture = Fixture::start().await;
    fixture.registry.add_client(&new_client(None), "test").await.unwrap();
    assert_eq!(std::fs::metadata(fixture.path("registry.db-wal")).unwrap().len(), 0);
}

#[tokio::test]
async fn one_row_says_that_unlinked_clients_have_changed_and_none_in_which_order() {
    let fixture = Fixture::start().await;
    let registry = &fixture.registry;
    let clients = [new_client(None), new_client(None), new_client(None)];
    for new in &clients {
        registry.add_client(new, "test").await.unwrap();
    }
    registry.revoke(&Selector::Key(clients[0].key), "test").await.unwrap();
    registry.revoke(&Selector::Secret(clients[0].secret), "test").await.unwrap();
    let raw = fixture.raw("registry.db").await;
    let rows = sqlx::query_as::<_, (i64,)>("SELECT number FROM changes").fetch_all(&raw).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn who_is_ten_thousand_changes_behind_reads_everything() {
    let fixture = Fixture::start().await;
    let registry = &fixture.registry;
    let since = generation(registry).await;
    let later = "UPDATE meta SET value = value + 10000 WHERE name = 'generation'";
    sqlx::query(later).execute(&fixture.raw("registry.db").await).await.unwrap();
    let last = new_client(Some("last"));
    registry.add_client(&last, "test").await.unwrap();
    let told = async |since| registry.changes(since, &|_| false).await.unwrap();
    assert!(matches!(told(since).await, Changes::Everything(_)));
    let Changes::Some(changed) = told(since + 1).await else { panic!("more than one change is told") };
    assert_eq!(changed.principals.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [last.key.digest()]);
}

#[tokio::test]
async fn a_revoked_api_key_leaves_no_grants() {
    let fixture = Fixture::start().await;
    let registry = &fixture.registry;
    let new = NewApiKey {
        name: "deploy".parse().unwrap(),
        digest: Digest::of(b"a key"),
        grants: Grants::Listed([("a*".parse().unwrap(), Access::Read)].into()),
        expires: None,
        allow_query: false,
    };
    registry.add_api_key(&new, "test").await.unwrap();
    registry.revoke_api_key(&new.name, "test").await.unwrap();
    let raw = fixture.raw("registry.db").await;
    assert!(sqlx::query("SELECT * FROM grants").fetch_all(&raw).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_row_that_is_nobodys_makes_the_registry_unreadable_and_is_not_passed_over() {
    for (sql, what) in [
        ("UPDATE principals SET kind = 'later' WHERE kind = 'apikey'", "kind"),
        ("UPDATE principals SET public_key = NULL WHERE kind = 'client'", "kind"),
        ("UPDATE principals SET public_key = x'01' WHERE kind = 'client'", "key"),
        // Now a client's row without a secret.
        ("UPDATE principals SET public_key = zeroblob(32) WHERE kind = 'apikey'", ""),
        ("UPDATE principals SET added = 'yesterday' WHERE kind = 'client'", ""),
        ("DELETE FROM meta WHERE name = 'generation'", ""),
    ] {
        let fixture = Fixture::start().await;
        let registry = &fixture.registry;
        let client = new_client(Some("laptop"));
        registry.add_client(&client, "test").await.unwrap();
        let (name, digest) = ("deploy".parse().unwrap(), Digest::of(b"a key"));
        let key = NewApiKey { name, digest, grants: Grants::Standard, expires: None, allow_query: false };
        registry.add_api_key(&key, "test").await.unwrap();
        let since = generation(registry).await - 2;
        let raw = fixture.raw("registry.db").await;
        assert_eq!(sqlx::query(sql).execute(&raw).await.unwrap().rows_affected(), 1);
        let read = [registry.snapshot().await.map(drop), registry.changes(since, &|_| false).await.map(drop)];
        for refused in read {
            let refused = refused.unwrap_err();
            assert!(
                matches!(&refused, RegistryError::Corrupt(_, why) if why.contains(what)),
                "{sql}: {refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_backup_with_a_key_that_protects_nothing_is_refused_whole() {
    let fixture = Fixture::start().await;
    let registry = &fixture.registry;
    registry.add_client(&new_client(Some("laptop")), "test").await.unwrap();
    fixture.back_up("copy.db").await;
    for (sql, why) in [
        ("UPDATE principals SET public_key = zeroblob(32)", "low order"),
        (
            "UPDATE principals SET public_key = x'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'",
            "low order",
        ),
        ("UPDATE principals SET public_key = x'01'", "32 bytes"),
        (
            "UPDATE principals SET public_key = x'0900000000000000000000000000000000000000000000000000000000000000'",
            "another digest",
        ),
    ] {
        let raw = fixture.raw("copy.db").await;
        sqlx::query(sql).execute(&raw).await.unwrap();
        raw.close().await;
        let refused = registry.restore(&fixture.path("copy.db"), "copy.db", TTL, "test").await;
        let line = refused.unwrap_err().to_string();
        assert!(line.contains(why) && line.contains("copy.db") && line.lines().count() == 1, "{line}");
    }
    assert_eq!(registry.audit_rows(1).await.unwrap()[0].action, "client.add");
}

#[tokio::test]
async fn a_restore_forgets_no_table_of_a_later_version() {
    let fixture = Fixture::start().await;
    let registry = &fixture.registry;
    let raw = fixture.raw("registry.db").await;
    for sql in [
        "CREATE TABLE \"later things\" (name TEXT PRIMARY KEY, value BIGINT)",
        "INSERT INTO \"later things\" VALUES ('a', 1)",
    ] {
        sqlx::query(sql).execute(&raw).await.unwrap();
    }
    fixture.back_up("copy.db").await;
    for sql in ["DELETE FROM \"later things\"", "INSERT INTO \"later things\" VALUES ('b', 2)"] {
        sqlx::query(sql).execute(&raw).await.unwrap();
    }
    registry.restore(&fixture.path("copy.db"), "copy.db", TTL, "test").await.unwrap();
    let rows = sqlx::query_as::<_, (String, i64)>("SELECT * FROM \"later things\"").fetch_all(&raw).await;
    assert_eq!(rows.unwrap(), [("a".to_owned(), 1)]);
    raw.close().await;
}
