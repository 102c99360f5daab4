//! The file itself: made, damaged, newer, in use.

use std::os::unix::fs::PermissionsExt as _;

use msp_core::{ClientStore as _, RegistryError};
use msp_registry::SqlRegistry;

use msp_testkit::suites::registry::{NOW, RegistryStand as _, new_client};

use crate::fixture::Fixture;

#[tokio::test]
async fn all_files_are_private_from_the_start() {
    let fixture = Fixture::start().await;
    fixture.registry.add_client(&new_client(Some("laptop")), "test").await.unwrap();
    let _lock = fixture.registry.lock_for_server().await.unwrap();
    fixture.back_up("copy.db").await;
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
    let fixture = Fixture::start().await;
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
    let fixture = Fixture::start().await;
    let raw = fixture.raw("registry.db").await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'later', 1, x'00', 0)",
    )
    .execute(&raw)
    .await
    .unwrap();
    let error = SqlRegistry::open(&fixture.url(), fixture.clock.clone()).await.unwrap_err();
    assert!(matches!(&error, RegistryError::Newer { found: 99, known: 5, .. }), "{error:?}");
    assert!(error.to_string().contains("upgrade it, or restore a backup"), "{error}");
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_nothing_in_it_or_beside_it_changes() {
    for journal in ["DELETE", "WAL"] {
        let fixture = Fixture::start().await;
        let folder = fixture.path("other");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("other.db");
        let url = format!("sqlite://{}?mode=rwc", file.display());
        let raw = sqlx::AnyPool::connect(&url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA journal_mode = {journal}")))
            .execute(&raw)
            .await
            .unwrap();
        sqlx::query("CREATE TABLE pictures (id BIGINT)").execute(&raw).await.unwrap();
        raw.close().await;
        let before = std::fs::read(&file).unwrap();
        let error = SqlRegistry::open(&format!("sqlite:{}", file.display()), fixture.clock.clone()).await;
        assert!(matches!(error, Err(RegistryError::Corrupt(..))), "{error:?}");
        assert_eq!(std::fs::read(&file).unwrap(), before);
        let names: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["other.db"], "{journal}");
    }
}

#[tokio::test]
async fn a_link_or_a_pipe_in_place_of_a_file_of_the_registry_is_refused() {
    for ending in ["", "-wal", "-shm", "-journal", ".lock", ".migrating"] {
        for kind in ["a link", "named pipe"] {
            let fixture = Fixture::start().await;
            let (file, other) = (fixture.path(&format!("second.db{ending}")), fixture.path("other"));
            std::fs::write(&other, "").unwrap();
            if kind == "a link" {
                std::os::unix::fs::symlink(&other, &file).unwrap();
            } else {
                assert!(std::process::Command::new("mkfifo").arg(&file).status().unwrap().success());
            }
            let url = format!("sqlite:{}", fixture.path("second.db").display());
            let error = SqlRegistry::open(&url, fixture.clock.clone()).await.unwrap_err().to_string();
            assert!(
                error.contains(if kind == "a link" { "symbolic link" } else { kind }),
                "{ending}: {error}"
            );
            assert_eq!(std::fs::read(&other).unwrap(), b"", "{ending}");
        }
    }
}
