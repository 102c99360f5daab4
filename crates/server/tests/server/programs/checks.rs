//! `msp-server --check-config`, and msp-admin asking it: what is found before a start.

use std::path::{Path, PathBuf};

use msp_testkit::ProgramFolder;

#[test]
fn msp_admin_shows_the_settings_and_warnings_of_every_door() {
    let bench = ProgramFolder::new();
    std::fs::create_dir(bench.path("plugins")).unwrap();
    let door = "[Doors]\nplugin=on\n[paths]\nplugins=plugins\n[auth]\ncontrol_open=yes\n";
    bench.write("config/config.ini", &format!("{door}[Mine]\na=1\n"));
    let told = |arguments: &[&str]| String::from_utf8(bench.run("msp-admin", arguments).stdout).unwrap();
    let warning = "config/config.ini line 6: [auth] control_open: everybody may list and reload plugins; set [auth] apikey";
    let shown = told(&["check-config", "--show"]);
    assert!(shown.contains("auth\tcontrol_open\tyes\tconfig/config.ini line 6\n"), "{shown}");
    assert!(shown.contains("paths\tplugins\tplugins\tconfig/config.ini line 4\n"), "{shown}");
    assert!(shown.contains(&format!("warning: configuration: {warning}\n")), "{shown}");
    assert!(told(&["doctor"]).contains(&format!("configuration\twarning\t{warning}\n")));
    bench.write("config/config.ini", "[Mine]\na=1\n");
    let shown = told(&["check-config"]);
    assert_eq!(
        shown,
        "warning: configuration: config/config.ini line 1: [mine] is not read by this version\n"
    );
}

/// What check-config finds, a line each; nothing when all is in order.
fn found(bench: &ProgramFolder) -> Vec<String> {
    let output = bench.run("msp-server", &["--check-config"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = told.lines().map(str::to_owned).collect();
    assert_eq!(output.status.code(), Some(i32::from(!lines.is_empty())), "{told}");
    let asked = bench.run("msp-admin", &["check-config"]);
    let asked_lines = String::from_utf8(asked.stdout).unwrap();
    for line in &lines {
        assert!(
            asked_lines.contains(&format!("problem: {line}\n")),
            "msp-admin leaves out: {line}: {asked_lines}"
        );
    }
    assert_eq!(asked.status.code(), output.status.code(), "{asked_lines}");
    lines
}

/// All that is in a folder.
fn content(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in folder.read_dir().unwrap().map(Result::unwrap) {
        all.push(entry.path());
        if entry.path().is_dir() {
            all.extend(content(&entry.path()));
        }
    }
    all.sort();
    all
}

#[test]
fn a_folder_in_order_has_no_findings_and_is_left_as_it_was() {
    let bench = ProgramFolder::new();
    assert_eq!(found(&bench), [""; 0], "an empty folder, where a start makes all");
    assert!(content(&bench.path("")).is_empty());
    bench.write("config/modules.ini", "[Modules]\ntime_test=simple_time\nhello=hello\n");
    bench.write("modules/hello.py", "def entry_call():\n    return 'hello'\n");
    assert!(bench.serve().stop().success());
    let before = content(&bench.path(""));
    assert_eq!(found(&bench), [""; 0]);
    assert_eq!(content(&bench.path("")), before);
    let server = bench.serve();
    assert_eq!(found(&bench), [""; 0], "beside the server");
    assert!(server.stop().success());
}

#[test]
fn everything_that_a_start_would_load_is_looked_at() {
    let bench = ProgramFolder::new();
    bench.write("log", "a file");
    bench.write("sec/registry.db", "no database at all, but long enough to be looked at");
    bench.write("sec/server.key", "rubbish");
    bench.write("fullchain.pem", "nothing");
    bench.write(
        "config/config.ini",
        "[Doors]\nplugin=on\n[paths]\nplugins=~/plugins\ndocuments=html:gone\n[SSL]\nenabled=yes\n\
         certfile=fullchain.pem\nkeyfile=privkey.pem\n[Runners]\nWorkerUser=nobdy\n",
    );
    let lines = found(&bench);
    for part in [
        "[Log] Folder: log is no folder",
        "[Registry] Url: sec/registry.db is not a readable registry",
        "[Server] Keypath: sec/server.key: not a private key",
        "[SSL] certfile fullchain.pem",
        "[paths] plugins: there is no folder ~/plugins; write the whole path",
        "[paths] documents: there is no folder gone",
        "[Runners] WorkerUser",
    ] {
        assert_eq!(lines.iter().filter(|line| line.starts_with(part)).count(), 1, "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), 7, "{lines:#?}");
}

#[test]
fn a_list_for_programs_names_place_problem_and_hint() {
    let bench = ProgramFolder::new();
    bench.write("config/config.ini", "[Clients]\nRequestTTL=0\n");
    let output = bench.run("msp-server", &["--check-config", "--json"]);
    let list: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!([{
        "place": "config/config.ini line 2",
        "problem": "[Clients] RequestTTL: \"0\" is not a whole number of seconds from 1 to 300",
        "hint": "",
    }]);
    assert_eq!((list, output.status.code()), (expected, Some(1)));
}
