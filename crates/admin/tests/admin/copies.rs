//! Backup and restore.

use msp_core::Restored;
use msp_core::control::{Reply, Request};
use serde_json::json;

use crate::harness::WorkingFolder;

#[test]
fn a_backup_is_private_holds_no_secret_and_is_never_written_over_a_file() {
    let folder = WorkingFolder::new();
    let (_, secret, _) = folder.add("--name laptop");
    assert_eq!(folder.stable(&folder.run("msp-admin backup copy").stdout), "Written: /here/copy\n");
    assert_eq!(folder.mode("copy"), 0o600);
    let bytes = std::fs::read(folder.path("copy")).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("laptop") && !holds(&secret));
    assert_eq!(folder.run("msp-admin backup copy").code, 1);
    assert_eq!(std::fs::read(folder.path("copy")).unwrap(), bytes);
}

#[test]
fn a_restore_brings_clients_back_but_not_what_was_revoked_since() {
    let folder = WorkingFolder::new();
    folder.add("--name laptop");
    folder.add("--name stolen");
    folder.run("msp-admin backup copy");
    folder.run("msp-admin client revoke stolen");
    folder.add("--name newer");
    let outcome = folder.answer("msp-admin restore copy", "n\n");
    assert_eq!((outcome.code, outcome.stdout.ends_with("Abort\n")), (0, true));
    assert_eq!(folder.json("msp-admin client list")["linked"].as_array().unwrap().len(), 2);
    assert_eq!(folder.answer("msp-admin restore copy", "y\n").code, 0);
    let list = folder.json("msp-admin client list");
    let names: Vec<_> = list["linked"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, [json!("laptop")]);
    let audit = folder.json("msp-admin audit --last 1");
    assert_eq!(audit[0]["action"], "registry.restore");
    let floor = folder.json("msp-admin floor show");
    assert!(floor["floor"].as_u64() > floor["now"].as_u64(), "{floor}");
}

#[test]
fn a_restore_into_a_new_place_brings_everyone_back() {
    let (old, new) = (WorkingFolder::new(), WorkingFolder::empty());
    old.add("--name laptop");
    old.add("");
    old.run("msp-admin backup copy");
    let copy = old.path("copy").display().to_string();
    assert_eq!(new.run(&format!("msp-admin restore {copy} --yes")).code, 0);
    let list = new.json("msp-admin client list");
    assert_eq!((&list["linked"][0]["name"], &list["unlinked_secrets"]), (&json!("laptop"), &json!(1)));
}

#[test]
fn a_running_server_restores_a_copy_that_its_user_can_read_and_what_it_did_is_told() {
    let folder = WorkingFolder::new();
    folder.add("--name laptop");
    assert_eq!(folder.run("msp-admin backup copy").code, 0);
    let restored =
        Restored { clients: 3, api_keys: 1, users: 2, revoked: 2, shut_out: 1, floor: 4_102_444_800 };
    let server = folder.server(Reply::Restored { restored });
    let outcome = folder.run("msp-admin restore copy --yes");
    let told = folder.stable(&outcome.stdout);
    let (first, floor) = told.split_once("\nThe floor is ").unwrap();
    assert_eq!(
        first,
        "Restored: /here/copy\n3 clients, 1 api key and 2 users came back; 2 more of the backup stay revoked; 1 of the \
         clients are disabled or have expired"
    );
    assert!(
        floor.ends_with(" ahead of the clock: no request is accepted until 2100-01-01 00:00:01\n"),
        "{floor}"
    );
    match server.join().unwrap() {
        Request::Restore { from, name, actor } => {
            assert!(from.starts_with(folder.path("sec").canonicalize().unwrap()), "{}", from.display());
            assert!(!from.exists(), "the copy stays");
            assert_eq!(folder.stable(&name), "/here/copy");
            assert!(actor.starts_with("admin:"), "{actor}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_restore_tells_scripts_what_it_did() {
    let folder = WorkingFolder::new();
    folder.add("--name laptop");
    folder.add("--name stolen");
    folder.run("msp-admin backup copy");
    folder.run("msp-admin client revoke stolen");
    let told = folder.json("msp-admin restore copy --yes");
    let numbers = ["clients", "api_keys", "revoked", "shut_out"].map(|name| told[name].as_u64().unwrap());
    assert_eq!(numbers, [1, 0, 1, 0]);
    assert_eq!(told["floor"], folder.json("msp-admin floor show")["floor"]);
}

#[test]
fn what_a_server_says_cannot_steer_the_terminal() {
    let folder = WorkingFolder::new();
    let server = folder.server(Reply::Failed { message: "bad\u{1b}[2J\r\nnews \u{202e}".to_owned() });
    let outcome = folder.run("msp-admin bans");
    server.join().unwrap();
    assert_eq!(outcome.stderr, "error: the server: bad\\u{1b}[2J\\r\\nnews \\u{202e}\n");
}
