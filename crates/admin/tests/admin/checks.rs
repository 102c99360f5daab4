//! check-config and doctor.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use msp_core::GuardStatus;
use msp_core::control::{Reply, Request, Status};
use serde_json::Value;

use crate::harness::{Outcome, WorkingFolder};

/// The verdict and detail of the first check of this name.
fn check<'a>(checks: &'a Value, name: &str) -> (&'a str, &'a str) {
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no {name} in {checks}"));
    (check["verdict"].as_str().unwrap(), check["detail"].as_str().unwrap())
}

/// Runs `msp-admin check-config` from a folder of its own, beside this stand-in for msp-server.
fn check_beside(folder: &WorkingFolder, server: Option<&str>) -> Outcome {
    let program = folder.path("bin/msp-admin");
    std::fs::create_dir_all(folder.path("bin")).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_msp-admin"), &program).unwrap();
    if let Some(script) = server {
        folder.write("bin/msp-server", &format!("#!/bin/sh\n{script}\n"));
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path("bin/msp-server"), executable).unwrap();
    }
    let mut command = folder.command("msp-admin check-config --config own.ini");
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = std::process::Command::new(program);
    command.args(arguments).current_dir(folder.path("")).env_clear().env("PATH", "/nowhere");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Outcome::of(command.spawn().unwrap())
}

#[test]
fn what_the_server_beside_it_finds_is_told_a_line_each() {
    let folder = WorkingFolder::new();
    folder.write("own.ini", "");
    let findings = r#"[{"place":"[SSL] certfile a.pem","problem":"gone","hint":"name another"}]"#;
    let script =
        format!("[ \"$*\" = \"--check-config --json --config own.ini\" ] && echo '{findings}'; exit 1");
    let outcome = check_beside(&folder, Some(&script));
    assert_eq!(outcome.stdout, "problem: [SSL] certfile a.pem: gone; name another\n");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    let outcome = check_beside(&folder, Some("echo '[]'"));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "No problems\n"));
}

#[test]
fn without_a_server_program_that_can_check_that_is_the_problem() {
    let folder = WorkingFolder::new();
    folder.write("own.ini", "");
    let none = check_beside(&folder, None);
    let older = check_beside(&folder, Some("echo 'error: unexpected argument' >&2; exit 2"));
    for (outcome, part) in
        [(none, "there is no msp-server in "), (older, "are it and msp-admin of one version?")]
    {
        assert_eq!(outcome.code, 1);
        assert!(
            outcome.stdout.starts_with("problem: start: ") && outcome.stdout.contains(part),
            "{outcome:?}"
        );
    }
}

#[test]
fn doctor_in_a_folder_of_no_server_says_so() {
    let folder = WorkingFolder::empty();
    let outcome = folder.run("msp-admin doctor");
    assert_eq!(outcome.code, 1);
    let rows: Vec<_> = outcome.stdout.lines().skip(1).collect();
    assert_eq!(rows.len(), 1, "{outcome:?}");
    assert!(rows[0].starts_with("configuration\tproblem\tthere is neither a configuration nor a key in "));
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let folder = WorkingFolder::new();
    folder.write("config/config.ini", "[Clients]\nRequestTTL=20\n");
    let shown = folder.run("msp-admin check-config --show").stdout;
    assert!(shown.contains("Clients\tRequestTTL\t20\tconfig/config.ini"), "{shown}");
    assert!(shown.contains("network\tport\t8000\tbuilt-in default"), "{shown}");
}

#[test]
fn doctor_finds_what_others_may_read() {
    let folder = WorkingFolder::new();
    folder.add("");
    for file in ["sec/server.key", "sec/registry.db"] {
        std::fs::set_permissions(folder.path(file), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let outcome = folder.run("msp-admin doctor --json");
    let checks: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        check(&checks, "server keys"),
        ("warning", "others may read sec/server.key; run: chmod 600 sec/server.key")
    );
    assert_eq!(check(&checks, "registry").0, "warning");
    assert_eq!(check(&checks, "server"), ("warning", "not running"));
    assert_eq!(check(&checks, "clock").0, "ok");
}

#[test]
fn doctor_asks_the_running_server_and_sees_a_floor_ahead_of_the_clock() {
    let folder = WorkingFolder::new();
    let status = Status {
        version: "1.2.3".to_owned(),
        pid: 7,
        uptime_sec: 90_000,
        clients: 3,
        generation: 9,
        functions: Vec::new(),
        guard: GuardStatus {
            entries: 0,
            max_entries: 16,
            floor: 0,
            accepted_until: 32_503_680_000,
            mark_failing: false,
        },
        not_ready: vec!["the floor is ahead".to_owned()],
        notes: vec!["isolation=require: all".to_owned()],
        warnings: vec!["functions run as root".to_owned()],
    };
    let server = folder.server(Reply::Status { status: Box::new(status) });
    let outcome = folder.run("msp-admin doctor");
    assert_eq!(server.join().unwrap(), Request::Status);
    assert_eq!(outcome.code, 1);
    let rows: Vec<_> = outcome.stdout.lines().filter(|line| line.starts_with("server\t")).collect();
    assert_eq!(
        rows,
        [
            "server\tok\tversion 1.2.3, process 7, up 1d 1h, 3 clients, 0 functions",
            "server\tproblem\tthe floor is ahead",
            "server\tok\tisolation=require: all",
            "server\twarning\tfunctions run as root",
        ]
    );
    assert!(outcome.stdout.lines().any(|line| line.starts_with("clock\tproblem\t")), "{}", outcome.stdout);
}
