//! Users' rows: apart from what a start reads, and read with care.

use msp_core::{Access, Grants, LogIn, LogInNetwork, NewUserToken, RegistryError, Way};
use msp_protocol::Digest;
use msp_testkit::suites::registry::{RegistryStand as _, new_user};

use crate::fixture::Fixture;

/// A registry with kim, who has a grant, a token and a log-in.
async fn started() -> (Fixture, Digest) {
    let fixture = Fixture::start().await;
    let registry = &fixture.registry;
    let mut kim = new_user("kim");
    kim.listed = Some(Grants::Listed([("sys*".parse().unwrap(), Access::Write)].into()));
    registry.add_user(&kim, "test").await.unwrap();
    let token = NewUserToken { digest: Digest::of(b"t"), label: "script".parse().unwrap(), expires: None };
    registry.add_token(&kim.name, &token, "test").await.unwrap();
    let network = LogInNetwork::of([203, 0, 113, 7].into());
    registry.note_log_in(&LogIn { user: kim.id, network, way: Way::Token }).await.unwrap();
    (fixture, kim.id)
}

/// All rows that users have.
const KEPT: &str = "SELECT (SELECT COUNT(*) FROM users) + (SELECT COUNT(*) FROM user_grants) \
                    + (SELECT COUNT(*) FROM user_tokens) + (SELECT COUNT(*) FROM logins)";

async fn count(fixture: &Fixture, sql: &'static str) -> i64 {
    let raw = fixture.raw("registry.db").await;
    sqlx::query_as::<_, (i64,)>(sql).fetch_one(&raw).await.unwrap().0
}

#[tokio::test]
async fn accounts_18_nothing_of_users_lies_in_a_table_that_a_start_reads() {
    let (fixture, _) = started().await;
    let read = "SELECT (SELECT COUNT(*) FROM principals) + (SELECT COUNT(*) FROM grants) \
                + (SELECT COUNT(*) FROM unlinked_keys) + (SELECT COUNT(*) FROM unlinked_secrets)";
    assert_eq!(count(&fixture, read).await, 0);
    assert_eq!(count(&fixture, KEPT).await, 4);
    fixture.registry.remove_user(&"kim".parse().unwrap(), "test").await.unwrap();
    assert_eq!(count(&fixture, KEPT).await, 0, "all went with their user");
}

#[tokio::test]
async fn accounts_02_a_restore_brings_nothing_of_a_removed_user_not_even_what_it_got_elsewhere() {
    let (fixture, kim) = started().await;
    fixture.back_up("copy.db").await;
    let elsewhere = Fixture::start().await;
    let restore = async |backup: &str| {
        let ttl = std::time::Duration::from_secs(30);
        elsewhere.registry.restore(&fixture.path(backup), backup, ttl, "test").await.unwrap()
    };
    restore("copy.db").await;
    assert_eq!(count(&elsewhere, KEPT).await, 4);
    elsewhere.registry.remove_user(&"kim".parse().unwrap(), "test").await.unwrap();
    let token = NewUserToken { digest: Digest::of(b"u"), label: "later".parse().unwrap(), expires: None };
    fixture.registry.add_token(&"kim".parse().unwrap(), &token, "test").await.unwrap();
    fixture.back_up("newer.db").await;
    let restored = restore("newer.db").await;
    assert_eq!((restored.users, restored.revoked, count(&elsewhere, KEPT).await), (0, 1, 0));
    assert_eq!(elsewhere.registry.user_of(&kim).await.unwrap(), None);
}

#[tokio::test]
async fn a_users_row_that_cannot_be_read_is_told_and_keeps_no_server_from_starting() {
    for (sql, what) in [
        ("UPDATE users SET role = 'root'", "role"),
        ("UPDATE user_grants SET writes = 'yes'", ""),
        ("UPDATE users SET password = x'00'", ""),
        ("UPDATE users SET epoch = 'one'", ""),
        ("UPDATE user_grants SET pattern = ''", "pattern"),
        ("UPDATE user_tokens SET label = 'a b'", "label"),
        ("UPDATE user_tokens SET user_id = x'01'", "digest"),
        ("UPDATE user_tokens SET added = 'today'", ""),
        ("UPDATE logins SET way = 'window'", "way to log in"),
        ("UPDATE logins SET failures = 'many'", ""),
    ] {
        let (fixture, kim) = started().await;
        let (registry, name) = (&fixture.registry, "kim".parse().unwrap());
        let raw = fixture.raw("registry.db").await;
        assert_eq!(sqlx::query(sql).execute(&raw).await.unwrap().rows_affected(), 1);
        let read = [
            registry.find_user(&name).await.map(drop),
            registry.users().await.map(drop),
            registry.find_token(&Digest::of(b"t")).await.map(drop),
            registry.log_ins(&kim).await.map(drop),
        ];
        let refused: Vec<_> = read.into_iter().filter_map(Result::err).collect();
        assert!(!refused.is_empty(), "{sql}");
        for refused in refused {
            assert!(
                matches!(&refused, RegistryError::Corrupt(_, why) if why.contains(what)),
                "{sql}: {refused:?}"
            );
            assert!(!refused.to_string().contains("argon2id"), "{refused}");
        }
        registry.snapshot().await.unwrap();
        registry.changes(1, &|_| true).await.unwrap();
    }
}
