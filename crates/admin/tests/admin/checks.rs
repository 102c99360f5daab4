//! check-config and doctor.

use std::os::unix::fs::PermissionsExt as _;

use msp_core::GuardStatus;
use msp_core::control::{Reply, Request, Status};
use serde_json::Value;

use crate::harness::Place;

/// The verdict and detail of the first check of this name.
fn check<'a>(checks: &'a Value, name: &str) -> (&'a str, &'a str) {
    let check = checks.as_array().unwrap().iter().find(|check| check["name"] == name);
    let check = check.unwrap_or_else(|| panic!("no {name} in {checks}"));
    (check["verdict"].as_str().unwrap(), check["detail"].as_str().unwrap())
}

#[test]
fn an_empty_folder_and_a_working_one_have_no_problems() {
    assert_eq!(Place::empty().run("msp-admin check-config").stdout, "No problems\n");
    let place = Place::new();
    place.add("");
    assert_eq!(place.run("msp-admin check-config").stdout, "No problems\n");
}

#[test]
fn each_problem_is_one_line_and_the_exit_code_says_that_there_are_some() {
    let place = Place::new();
    place.write("config/modules.ini", "[Modules]\na=missing\nb=simple_time\nc=there\nd=pro.gram\n");
    place.write("modules/there.py", "");
    place.write("modules/pro.gram", "");
    place.write("log", "");
    place.write("sec/registry.db", "no database at all, but long enough to be looked at");
    std::fs::remove_file(place.path("sec/server.key")).unwrap();
    let outcome = place.run("msp-admin check-config");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (1, ""));
    insta::assert_snapshot!(outcome.stdout);
    place.write("config/config.ini", "[Clients]\nRequestTTL=0\n");
    let outcome = place.run("msp-admin check-config");
    assert_eq!(outcome.code, 1);
    let expected = "problem: configuration: config/config.ini line 2: [Clients] RequestTTL: \"0\" is not a whole \
                    number of seconds from 1 to 300\n";
    assert_eq!(outcome.stdout, expected);
}

#[test]
fn every_setting_is_shown_with_its_origin() {
    let place = Place::new();
    place.write("config/config.ini", "[Clients]\nRequestTTL=20\n");
    let shown = place.run("msp-admin check-config --show").stdout;
    assert!(shown.contains("Clients\tRequestTTL\t20\tconfig/config.ini"), "{shown}");
    assert!(shown.contains("network\tport\t8000\tbuilt-in default"), "{shown}");
}

#[test]
fn doctor_finds_what_others_may_read_and_a_missing_interpreter() {
    let place = Place::new();
    place.add("");
    place.write("modules/there.py", "");
    place.write("config/modules.ini", "[Modules]\nc=there\n");
    place.write("config/config.ini", "[Runners]\nPython=no-such-python\n");
    for file in ["sec/server.key", "sec/registry.db"] {
        std::fs::set_permissions(place.path(file), std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let outcome = place.run("msp-admin doctor --json");
    assert_eq!(outcome.code, 1);
    let checks: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(
        check(&checks, "server keys"),
        ("warning", "others may read sec/server.key; run: chmod 600 sec/server.key")
    );
    assert_eq!(check(&checks, "registry").0, "warning");
    assert_eq!(check(&checks, "python"), ("problem", "[Runners] Python: no program no-such-python is found"));
    assert_eq!(check(&checks, "server"), ("warning", "not running"));
    assert_eq!(check(&checks, "clock").0, "ok");
}

#[test]
fn doctor_asks_the_running_server_and_sees_a_floor_ahead_of_the_clock() {
    let place = Place::new();
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
    let server = place.server(Reply::Status { status: Box::new(status) });
    let outcome = place.run("msp-admin doctor");
    assert_eq!(server.join().unwrap(), Request::Status);
    assert_eq!(outcome.code, 1);
    let rows: Vec<_> = outcome.stdout.lines().filter(|line| line.starts_with("server\t")).collect();
    assert_eq!(
        rows,
        [
            "server\tok\tversion 1.2.3, process 7, up 1d 1h, 3 clients, 0 functions",
            "server\tproblem\tthe floor is ahead",
            "server\tproblem\ttime_test=simple_time is not served: see the log",
            "server\tok\tisolation=require: all",
            "server\twarning\tfunctions run as root",
        ]
    );
    assert!(outcome.stdout.lines().any(|line| line.starts_with("clock\tproblem\t")), "{}", outcome.stdout);
}
