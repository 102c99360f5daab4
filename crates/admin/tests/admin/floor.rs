//! The floor: shown, and lowered.

use msp_core::GuardStatus;
use msp_core::control::{Reply, Request};
use serde_json::json;

use crate::harness::WorkingFolder;

/// Raises the mark: a restore sets it to the clock and RequestTTL.
fn ahead() -> WorkingFolder {
    let folder = WorkingFolder::new();
    folder.add("");
    folder.run("msp-admin backup copy");
    assert_eq!(folder.run("msp-admin restore copy --yes").code, 0);
    folder
}

#[test]
fn a_reset_says_what_becomes_replayable_and_is_audited() {
    let folder = ahead();
    let before = folder.json("msp-admin floor show");
    assert!(folder.run("msp-admin floor show").stdout.contains("AHEAD of the clock"));
    let outcome = folder.answer("msp-admin floor reset", "n\n");
    assert!(
        outcome.stdout.contains("become replayable") && outcome.stdout.ends_with("Abort\n"),
        "{outcome:?}"
    );
    assert_eq!(folder.json("msp-admin floor show")["floor"], before["floor"]);
    let reset = folder.json("msp-admin floor reset --yes");
    assert_eq!((&reset["reset"], &reset["replayable"][1]), (&json!(true), &before["floor"]));
    let after = folder.json("msp-admin floor show");
    assert!(after["floor"].as_u64() <= after["now"].as_u64(), "{after}");
    assert_eq!(folder.json("msp-admin audit --last 1")[0]["action"], "floor.reset");
    assert_eq!(folder.json("msp-admin floor reset --yes"), json!({ "reset": false, "replayable": null }));
}

#[test]
fn nothing_is_reset_behind_the_back_of_a_server() {
    let folder = ahead();
    let lock = std::fs::File::options().write(true).open(folder.path("sec/registry.db.lock")).unwrap();
    lock.try_lock().unwrap();
    let outcome = folder.run("msp-admin floor reset --yes");
    assert_eq!(outcome.code, 1);
    assert!(outcome.stderr.contains("in use by another msp-server"), "{}", outcome.stderr);
    assert_eq!(folder.json("msp-admin audit --last 1")[0]["action"], "registry.restore");
}

#[test]
fn a_running_server_is_asked_for_its_floor() {
    let folder = WorkingFolder::new();
    let guard = GuardStatus {
        entries: 1,
        max_entries: 16,
        floor: 1_000_000_100,
        accepted_until: 1_000_000_102,
        mark_failing: true,
    };
    let server = folder.server(Reply::Floor { guard, now: 1_000_000_000 });
    assert_eq!(
        folder.run("msp-admin floor show").stdout,
        "Floor (as the running server has it): 2001-09-09 01:48:20 (1000000100), AHEAD of the clock by 1m 40s: \
         nothing is accepted until then\n\
         Mark: 2001-09-09 01:48:22 (1000000102)\nClock: 2001-09-09 01:46:40 (1000000000)\n\
         The mark cannot be written: see the server's log\n"
    );
    assert_eq!(server.join().unwrap(), Request::Floor);
}
