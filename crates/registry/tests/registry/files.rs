//! The file itself: made, damaged, newer, in use, copied and taken back.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use msp_core::{FreshnessStore as _, Registry as _, RegistryError};
use msp_registry::{Selector, SqlRegistry};

use crate::fixture::{Fixture, NOW, new_client};

const TTL: Duration = Duration::from_secs(30);

#[tokio::test]
async fn all_files_are_private_from_the_start() {
    let fixture = Fixture::new().await;
    fixture.registry.add_client(&new_client(Some("laptop")), "test").await.unwrap();
    let _lock = fixture.registry.lock_for_server().unwrap();
    fixture.registry.backup(&fixture.path("copy.db")).await.unwrap();
    for entry in std::fs::read_dir(fixture.path("")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_first_starts_at_once_make_one_registry() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("registry.db").display());
    let opening = (0..16).map(|n| {
        let url = url.clone();
        tokio::spawn(async move {
            let clock = std::sync::Arc::new(msp_core::clock::ManualClock::at(NOW));
            let registry = SqlRegistry::open(&url, clock).await.unwrap();
            registry.add_client(&new_client(Some(&format!("client-{n}"))), "test").await.unwrap();
            registry
        })
    });
    let opened = futures_util::future::join_all(opening).await;
    let registry = opened.into_iter().map(Result::unwrap).next().unwrap();
    assert_eq!(registry.clients().await.unwrap().len(), 16);
}

#[tokio::test]
async fn what_cannot_be_a_registry_is_named_in_one_line() {
    let fixture = Fixture::new().await;
    std::fs::write(fixture.path("rubbish.db"), "no database ".repeat(1000)).unwrap();
    std::fs::write(fixture.path("file"), "").unwrap();
    let open = async |url: String| {
        let error = SqlRegistry::open(&url, fixture.clock.clone()).await.unwrap_err();
        assert_eq!(error.to_string().lines().count(), 1, "{error}");
        error
    };
    let at = |name: &str| format!("sqlite:{}", fixture.path(name).display());
    assert!(
        matches!(open(at("rubbish.db")).await, RegistryError::Corrupt(place, _) if place.ends_with("rubbish.db"))
    );
    assert!(matches!(open(at("none/registry.db")).await, RegistryError::Unavailable(..)));
    assert!(matches!(open(at("file/registry.db")).await, RegistryError::Unavailable(..)));
    let other = open("postgres://user:password@host/db".to_owned()).await;
    assert!(!other.to_string().contains("password"), "{other}");
    let missing = SqlRegistry::open_existing(&at("missing.db"), fixture.clock.clone()).await.unwrap_err();
    assert!(missing.to_string().contains("missing.db"), "{missing}");
    assert!(!fixture.path("missing.db").exists());
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let fixture = Fixture::new().await;
    let raw =
        sqlx::AnyPool::connect(&format!("sqlite://{}", fixture.path("registry.db").display())).await.unwrap();
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'later', 1, x'00', 0)",
    )
    .execute(&raw)
    .await
    .unwrap();
    let error = SqlRegistry::open(&fixture.url(), fixture.clock.clone()).await.unwrap_err();
    assert!(matches!(&error, RegistryError::Newer { found: 99, known: 3, .. }), "{error:?}");
    assert!(error.to_string().contains("upgrade it, or restore a backup"), "{error}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let fixture = Fixture::new().await;
    let url = format!("sqlite://{}?mode=rwc", fixture.path("other.db").display());
    let raw = sqlx::AnyPool::connect(&url).await.unwrap();
    sqlx::query("CREATE TABLE pictures (id BIGINT)").execute(&raw).await.unwrap();
    let url = format!("sqlite:{}", fixture.path("other.db").display());
    let error = SqlRegistry::open(&url, fixture.clock.clone()).await.unwrap_err();
    assert!(matches!(error, RegistryError::Corrupt(..)), "{error}");
}

#[tokio::test]
async fn one_server_holds_the_registry_and_gives_it_back() {
    let fixture = Fixture::new().await;
    let lock = fixture.registry.lock_for_server().unwrap();
    let again = fixture.opened_again().await;
    assert!(matches!(again.lock_for_server(), Err(RegistryError::InUse(_))));
    again.add_client(&new_client(None), "test").await.unwrap();
    drop(lock);
    assert!(again.lock_for_server().is_ok());
}

#[tokio::test]
async fn a_backup_brings_clients_back_but_none_that_was_revoked_since_and_never_lowers_the_mark() {
    let fixture = Fixture::new().await;
    let registry = &fixture.registry;
    let (stays, revoked, later) =
        (new_client(Some("stays")), new_client(Some("revoked")), new_client(Some("later")));
    let (unlinked, purged) = (new_client(None), new_client(None));
    for new in [&stays, &revoked, &unlinked, &purged] {
        registry.add_client(new, "test").await.unwrap();
    }
    registry.backup(&fixture.path("copy.db")).await.unwrap();
    registry.revoke(&Selector::Name("revoked".parse().unwrap()), "test").await.unwrap();
    registry.revoke(&Selector::Key(purged.key), "test").await.unwrap();
    registry.add_client(&later, "test").await.unwrap();
    let before = registry.generation().await.unwrap();

    let restored = registry.restore(&fixture.path("copy.db"), TTL, "admin:kim").await.unwrap();
    assert_eq!((restored.clients, restored.revoked), (2, 2));
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
    registry.restore(&fixture.path("copy.db"), TTL, "admin:kim").await.unwrap();
    assert_eq!(registry.marks().await.unwrap().accepted_until, NOW + 500);
    assert_eq!(registry.audit(1).await.unwrap()[0].action, "registry.restore");
}

#[tokio::test]
async fn a_backup_never_overwrites_and_a_faulty_one_changes_nothing() {
    let fixture = Fixture::new().await;
    fixture.registry.add_client(&new_client(Some("laptop")), "test").await.unwrap();
    std::fs::write(fixture.path("copy.db"), "mine").unwrap();
    assert!(fixture.registry.backup(&fixture.path("copy.db")).await.is_err());
    assert_eq!(std::fs::read_to_string(fixture.path("copy.db")).unwrap(), "mine");
    for name in ["copy.db", "missing.db"] {
        assert!(fixture.registry.restore(&fixture.path(name), TTL, "test").await.is_err(), "{name}");
    }
    assert_eq!(fixture.registry.clients().await.unwrap().len(), 1);
}
