//! Backup and restore.

use msp_core::control::{Reply, Request};
use serde_json::json;

use crate::harness::Place;

#[test]
fn a_backup_is_private_holds_no_secret_and_is_never_written_over_a_file() {
    let place = Place::new();
    let (_, secret, _) = place.add("--name laptop");
    assert_eq!(place.stable(&place.run("msp-admin backup copy").stdout), "Written: /here/copy\n");
    assert_eq!(place.mode("copy"), 0o600);
    let bytes = std::fs::read(place.path("copy")).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds("laptop") && !holds(&secret));
    assert_eq!(place.run("msp-admin backup copy").code, 1);
    assert_eq!(std::fs::read(place.path("copy")).unwrap(), bytes);
}

#[test]
fn a_restore_brings_clients_back_but_not_what_was_revoked_since() {
    let place = Place::new();
    place.add("--name laptop");
    place.add("--name stolen");
    place.run("msp-admin backup copy");
    place.run("msp-admin client revoke stolen");
    place.add("--name newer");
    let outcome = place.answer("msp-admin restore copy", "n\n");
    assert_eq!((outcome.code, outcome.stdout.ends_with("Abort\n")), (0, true));
    assert_eq!(place.json("msp-admin client list")["linked"].as_array().unwrap().len(), 2);
    assert_eq!(place.answer("msp-admin restore copy", "y\n").code, 0);
    let list = place.json("msp-admin client list");
    let names: Vec<_> = list["linked"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, [json!("laptop")]);
    let audit = place.json("msp-admin audit --last 1");
    assert_eq!(audit[0]["action"], "registry.restore");
    let floor = place.json("msp-admin floor show");
    assert!(floor["floor"].as_u64() > floor["now"].as_u64(), "{floor}");
}

#[test]
fn a_restore_into_a_new_place_brings_everyone_back() {
    let (old, new) = (Place::new(), Place::empty());
    old.add("--name laptop");
    old.add("");
    old.run("msp-admin backup copy");
    let copy = old.path("copy").display().to_string();
    assert_eq!(new.run(&format!("msp-admin restore {copy} --yes")).code, 0);
    let list = new.json("msp-admin client list");
    assert_eq!((&list["linked"][0]["name"], &list["unlinked_secrets"]), (&json!("laptop"), &json!(1)));
}

#[test]
fn a_running_server_does_both_with_absolute_paths() {
    let place = Place::new();
    let server = place.server(Reply::Done);
    assert_eq!(place.run("msp-admin backup copy").code, 0);
    let here = |name: &str| place.path("").canonicalize().unwrap().join(name);
    assert_eq!(server.join().unwrap(), Request::Backup { to: here("copy") });
    let server = place.server(Reply::Done);
    assert_eq!(place.run("msp-admin restore copy --yes").code, 0);
    match server.join().unwrap() {
        Request::Restore { from, actor } => {
            assert_eq!(from, here("copy"));
            assert!(actor.starts_with("admin:"), "{actor}");
        }
        other => panic!("{other:?}"),
    }
    assert!(!place.path("sec/registry.db").exists());
}
