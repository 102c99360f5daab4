//! Starts that fail, each in one line that names what is wrong, where, and what would be right.

use msp_protocol::{OsRng, PrivateKey};

use msp_testkit::{ProgramFolder, stdout};

/// Starts a server that must not start, and gives its one line.
fn failure(bench: &ProgramFolder, arguments: &[&str]) -> String {
    let output = bench.command("msp-server").args(["--port", "0"]).args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    let complaints: Vec<&str> = told.lines().filter(|line| line.contains("msp-server: ")).collect();
    assert_eq!(complaints.len(), 1, "{told}");
    complaints[0].replace(&bench.path("").display().to_string(), "")
}

#[test]
fn share_point_17_what_is_named_but_missing_or_faulty_stops_the_start() {
    let bench = ProgramFolder::new();
    bench.write("typo.ini", "[Server]\nKeypaht=sec\n");
    bench.write("number.ini", "[Clients]\nRequestTTL=soon\n");
    bench.write("empty.ini", "[Other]\n");
    for (arguments, parts) in [
        (["--config", "missing.ini"], &["missing.ini"][..]),
        (["--modules", "missing.ini"], &["missing.ini"]),
        (["--config", "typo.ini"], &["typo.ini", "Server", "keypaht"]),
        (["--config", "number.ini"], &["number.ini", "Clients", "RequestTTL", "soon"]),
        (["--modules", "empty.ini"], &["empty.ini", "Modules"]),
    ] {
        let line = failure(&bench, &arguments);
        for part in parts {
            assert!(line.to_lowercase().contains(&part.to_lowercase()), "{part} in {line}");
        }
    }
}

#[test]
fn share_point_17_half_a_key_pair_stops_the_start_and_a_missing_public_half_is_made_again() {
    let bench = ProgramFolder::new();
    assert!(bench.serve().stop().success(), "with no key at all a pair is made");
    let public = std::fs::read_to_string(bench.path("sec/server.pub")).unwrap();
    std::fs::remove_file(bench.path("sec/server.pub")).unwrap();
    assert!(bench.serve().stop().success());
    assert_eq!(std::fs::read_to_string(bench.path("sec/server.pub")).unwrap(), public);
    std::fs::remove_file(bench.path("sec/server.key")).unwrap();
    assert!(failure(&bench, &[]).contains("server.key"));
    std::fs::write(bench.path("sec/server.key"), "rubbish").unwrap();
    assert!(failure(&bench, &[]).contains("server.key"));
}

#[test]
fn a_lost_server_key_is_not_replaced_while_clients_know_it() {
    let bench = ProgramFolder::new();
    assert!(bench.serve().stop().success());
    let key = PrivateKey::generate(&mut OsRng).public().to_string();
    stdout(&bench.run("appendclient", &[&key]));
    for half in ["sec/server.key", "sec/server.pub"] {
        std::fs::remove_file(bench.path(half)).unwrap();
    }
    let line = failure(&bench, &[]);
    assert!(line.contains("restore server.key from a backup"), "{line}");
}

#[test]
fn a_registry_that_is_damaged_or_newer_stops_the_start() {
    let bench = ProgramFolder::new();
    bench.write("sec/registry.db", &"this is no database ".repeat(500));
    let line = failure(&bench, &[]);
    assert!(line.contains("registry.db"), "{line}");
}

#[test]
fn a_port_that_is_taken_is_named() {
    let bench = ProgramFolder::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = bench.command("msp-server").args(["--port", &port]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains(&format!("[network] 127.0.0.1:{port}: cannot listen")), "{told}");
}

#[test]
fn the_healthcheck_tells_a_running_server_from_none() {
    let bench = ProgramFolder::new();
    let ops = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    let check = || {
        let mut command = bench.command("msp-server");
        command.arg("--healthcheck").env("MSP__OPS__PORT", &ops).output().unwrap().status.code()
    };
    assert_eq!(check(), Some(1));
    let server = bench.serve_with(|command| {
        command.env("MSP__OPS__PORT", &ops);
    });
    assert_eq!(check(), Some(0));
    assert!(server.stop().success());
}

#[test]
fn a_named_pipe_in_the_key_folder_hangs_no_start() {
    let bench = ProgramFolder::new();
    let pipe = |name: &str| {
        let _nothing_there = std::fs::remove_file(bench.path(name));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let made =
            rustix::fs::mknodat(rustix::fs::CWD, bench.path(name), rustix::fs::FileType::Fifo, mode, 0);
        made.unwrap();
    };
    bench.write("sec/clients.dev", "");
    for name in ["sec/client_1.pub", "sec/clients.dev", "sec/control.sock"] {
        pipe(name);
    }
    let server = bench.serve();
    let log = server.log.lock().unwrap().clone();
    for name in ["client_1.pub", "clients.dev"] {
        assert!(log.contains(&format!("{name} skipped: a named pipe, not a file")), "{log}");
    }
    assert!(server.stop().success());
    for name in
        ["sec/server.pub", "sec/server.key", "sec/registry.db.lock", "sec/registry.db", "config/config.ini"]
    {
        std::fs::create_dir_all(bench.path("config")).unwrap();
        pipe(name);
        let line = failure(&bench, &[]);
        let file = name.split_once('/').unwrap().1;
        assert!(line.contains(file) && line.contains("is a named pipe, not a file"), "{name}: {line}");
    }
}
