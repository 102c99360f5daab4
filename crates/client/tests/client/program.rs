//! `msp-client` as a person runs it.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output, Stdio};

use msp_protocol::enrolment::Enrolment;
use msp_protocol::{ErrorCode, OsRng};
use serde_json::json;
use tempfile::TempDir;

use crate::server::{FakeServer, Step};

/// A home and working folder of its own.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with_keys(server: &FakeServer) -> Self {
        let home = Self::new();
        home.write("client.key", &server.client.dangerously_to_base64());
        home.write("client.secret", &format!("{}\n", server.secret.dangerously_as_str()));
        home.write("server.pub", &server.key.public().to_string());
        home
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output: Output = Command::new(env!("CARGO_BIN_EXE_msp-client"))
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .env("HOME", self.0.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace(&self.0.path().display().to_string(), "HOME")
        };
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }
}

#[test]
fn with_a_url_alone_it_does_what_the_demo_did() {
    let server =
        FakeServer::start(vec![Step::Value(json!("It is currently: \n\tnow")), Step::Plain(401, "", "")]);
    let home = Home::with_keys(&server);
    let (code, out, err) = home.run(&[&server.url]);
    assert_eq!((code, out.as_str()), (0, ""));
    let (time, rest) = err.split_once(']').unwrap();
    assert_eq!((time.len(), rest), ("[2024-03-30 14:20:53,643".len(), " INFO: It is currently: \n\tnow\n"));
    assert_eq!(server.seen()[0].entry, "time_test");
    let (code, _, err) = home.run(&[&server.url]);
    assert_eq!(code, 1);
    assert!(err.contains("WARNING") && err.contains(&server.url), "{err}");
    assert_eq!(Home::new().run(&[&server.url]).0, 1, "no keys");
    let (code, _, err) = home.run(&[]);
    assert!(code == 1 && err.contains("Usage: msp-client") && err.contains("Examples:"), "no URL: {err}");
}

#[test]
fn a_call_prints_text_as_it_is_and_json_for_scripts() {
    let server = FakeServer::start(vec![
        Step::Value(json!("two\nlines")),
        Step::Value(json!({"b": 1, "a": [true]})),
        Step::Value(json!("text")),
        Step::Failure { code: ErrorCode::Forbidden, server_time: 0, not_before: None },
    ]);
    let home = Home::with_keys(&server);
    assert_eq!(home.run(&["call", &server.url, "f"]), (0, "two\nlines\n".to_owned(), String::new()));
    let (code, out, _) =
        home.run(&["call", &server.url, "f", "--arg", "n=5", "--arg", "t=x y", "--arg", "z=\"01\""]);
    assert_eq!(code, 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), json!({"b": 1, "a": [true]}));
    assert_eq!(server.seen()[1].args, Some(json!({"n": 5, "t": "x y", "z": "01"})));
    let (_, out, _) = home.run(&["call", &server.url, "f", "--json", "{\"days\":[1,2]}"]);
    assert_eq!(out, "\"text\"\n");
    assert_eq!(server.seen()[2].args, Some(json!({"days": [1, 2]})));
    let (code, out, err) = home.run(&["call", &server.url, "f"]);
    assert_eq!((code, out.as_str(), err.as_str()), (1, "", "error: forbidden: why (request 00ff)\n"));
}

#[test]
fn wrong_command_lines_end_with_2_and_say_what_would_be_right() {
    let server = FakeServer::start(Vec::new());
    let home = Home::with_keys(&server);
    for arguments in [
        &["call"][..],
        &["call", "localhost:8000", "f"],
        &["call", &server.url, "f", "--arg", "novalue"],
        &["call", &server.url, "f", "--json", "{"],
        &["call", &server.url, "f", "--classic", "--json", "{}"],
        &["call", "f"],
        &["join"],
    ] {
        let (code, out, err) = home.run(arguments);
        assert_eq!((code, out.as_str()), (2, ""), "{arguments:?}: {err}");
        assert!(!err.is_empty());
    }
    assert!(server.seen().is_empty());
}

#[test]
fn what_stands_before_a_commands_name_is_the_commands() {
    let server = FakeServer::start(vec![Step::Value(json!("one")), Step::Value(json!("two"))]);
    let home = Home::with_keys(&server);
    assert_eq!(home.run(&[&server.url, "call", "f"]), (0, "one\n".to_owned(), String::new()));
    assert_eq!(home.run(&[&server.url, "--classic", "call", "f"]).1, "two\n");
    assert!(server.seen()[1].rid.is_empty(), "classic");
    for (arguments, told) in [
        (&[&server.url, "call", &server.url, "f"][..], "two URLs"),
        (&[&server.url, "ping", &server.url], "two URLs"),
        (&[&server.url, "profile", "list"], "takes no URL"),
        (&["--classic", "ping"], "--classic goes with call"),
    ] {
        let (code, _, err) = home.run(arguments);
        assert!(code == 2 && err.contains(told), "{arguments:?}: {err}");
    }
}

#[test]
fn an_error_is_json_for_a_script() {
    let refusal = Step::Failure { code: ErrorCode::Expired, server_time: 0, not_before: None };
    let server = FakeServer::start(vec![refusal, Step::Plain(401, "", "")]);
    let home = Home::with_keys(&server);
    for (arguments, code) in [
        (&["call", &server.url, "f", "--json"][..], "expired"),
        (&["ping", &server.url, "--json"], "refused"),
        (&["call", "http://127.0.0.1:1", "f", "--json"], "not_connected"),
        (&["functions", "host", "--json"], "failed"),
        (&["call", &server.url, "f", "--json", "{\"n\":18446744073709551616}"], "usage"),
    ] {
        let (_, out, err) = home.run(arguments);
        let error: serde_json::Value = serde_json::from_str(&err).unwrap();
        assert_eq!((out.as_str(), &error["error"]["code"]), ("", &json!(code)), "{err}");
        assert!(error["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}

#[test]
fn a_key_that_others_may_read_is_warned_of_and_a_key_without_its_server_is_no_other_clients() {
    let server = FakeServer::start(vec![Step::Value(json!("hello")), Step::Value(json!("again"))]);
    let home = Home::with_keys(&server);
    let path = home.0.path().join("client.secret");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let warning = "warning: others may read client.secret; run: chmod 600 client.secret\n";
    assert_eq!(home.run(&["call", &server.url, "f"]), (0, "hello\n".to_owned(), warning.to_owned()));
    let joins = |key: &msp_protocol::PrivateKey| {
        let (url, secret) = (server.url.clone(), server.secret.clone());
        Enrolment { url, server: *server.key.public(), secret, name: None }.seal(key.public(), &mut OsRng)
    };
    let other = msp_protocol::PrivateKey::generate(&mut OsRng);
    home.write("other.key", &other.dangerously_to_base64());
    assert_eq!(home.run(&["join", &joins(&other), "--key", "other.key", "--yes"]).0, 0);
    std::fs::remove_file(home.0.path().join("server.pub")).unwrap();
    let (code, _, err) = home.run(&["call", "f"]);
    assert!(code == 1 && err.contains("client.key is in this folder, and server.pub is not"), "{err}");
    // After a join the private key may lie there, and is that of the profile.
    assert_eq!(home.run(&["join", &joins(&server.client), "--profile", "own", "--yes"]).0, 0);
    assert_eq!(home.run(&["profile", "use", "own"]).1, "Default: own\n");
    assert_eq!(home.run(&["call", "f"]).1, "again\n");
}

#[test]
fn profiles_are_listed_chosen_and_removed() {
    let server = FakeServer::start(Vec::new());
    let home = Home::new();
    home.write("client.key", &server.client.dangerously_to_base64());
    assert_eq!(
        home.run(&["profile", "list"]),
        (0, String::new(), "no profiles yet; make one with `msp-client join`\n".to_owned())
    );
    for name in ["one", "two"] {
        let (url, secret) = (format!("https://{name}.example"), server.secret.clone());
        let line = Enrolment { url, server: *server.key.public(), secret, name: None }
            .seal(server.client.public(), &mut OsRng);
        assert_eq!(home.run(&["join", &line, "--yes", "--profile", name, "--cafile", "ca.pem"]).0, 0);
    }
    let (_, out, _) = home.run(&["profile", "list", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&out).unwrap();
    let row = |name: &str, default: bool| {
        json!({
            "name": name,
            "default": default,
            "url": format!("https://{name}.example/v1/"),
            "server": server.key.public().fingerprint(),
            "client": server.client.public().fingerprint(),
            "cafile": "HOME/ca.pem",
        })
    };
    assert_eq!(list, json!([row("one", true), row("two", false)]));
    let (_, out, _) = home.run(&["profile", "list"]);
    assert!(out.contains("PROFILE") && out.contains("https://two.example/v1/"), "{out}");
    assert!(!out.contains(server.secret.dangerously_as_str()));
    assert_eq!(home.run(&["profile", "remove", "one"]).0, 1, "nobody said yes");
    assert_eq!(home.run(&["profile", "remove", "one", "--yes"]).1, "Removed: one\n");
    let (_, out, _) = home.run(&["profile", "list", "--json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap(), json!([row("two", true)]));
    let (code, _, err) = home.run(&["profile", "use", "one"]);
    assert!(code == 1 && err.contains("no profile one; there is two"), "{err}");
    let (_, _, err) = home.run(&["call", "f"]);
    assert!(err.contains("HOME/ca.pem: No such file"), "{err}");
}

#[test]
fn a_line_is_joined_into_a_private_profile_that_is_not_repinned_without_force() {
    let server = FakeServer::start(vec![Step::Value(json!("hello")), Step::Value(json!("again"))]);
    let other = FakeServer::start(Vec::new());
    let home = Home::new();
    home.write("client.key", &server.client.dangerously_to_base64());
    let line = |of: &FakeServer| {
        let secret = server.secret.clone();
        let name = Some("laptop".parse().unwrap());
        Enrolment { url: of.url.clone(), server: *of.key.public(), secret, name }
            .seal(server.client.public(), &mut OsRng)
    };
    let (code, _, err) = home.run(&["join", &line(&server)]);
    assert_eq!(code, 1, "nobody said yes: {err}");
    assert!(err.contains(&server.key.public().fingerprint()) && err.contains(&server.url), "{err}");
    assert_eq!(home.run(&["join", &line(&server), "--yes"]).0, 0);
    let file = home.0.path().join(".config/msp/client.toml");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.run(&["call", "f"]).1, "hello\n");
    let before = std::fs::read_to_string(&file).unwrap();
    let (code, _, err) = home.run(&["join", &line(&other), "--yes"]);
    assert_eq!(code, 1);
    assert!(err.contains("pinned to another server key"), "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    assert_eq!(home.run(&["join", &line(&other), "--yes", "--profile", "second"]).0, 0);
    assert_eq!(home.run(&["call", "f"]).1, "again\n", "the first stays the default");
    assert_eq!(home.run(&["join", &line(&other), "--yes", "--force"]).0, 0);
    assert_eq!(home.run(&["join", "msp1:AAAA", "--yes"]).0, 1);
}

#[test]
fn share_point_22_gen_key_makes_two_private_files_that_fit_each_other() {
    let home = Home::new();
    let (code, out, _) = home.run(&["gen_key", "PAIR", "x"]);
    assert_eq!((code, out.as_str()), (0, "Generated: x.key\nGenerated: HOME/x.pub\n"));
    let private = msp_keyfile::read_private_key(&home.0.path().join("x.key")).unwrap();
    assert_eq!(std::fs::read_to_string(home.0.path().join("x.pub")).unwrap(), private.public().to_string());
    assert_eq!(home.run(&["gen_key", "private", "x"]).0, 1, "an existing key is kept");
    assert_eq!(home.run(&["gen_key", "nothing", "x"]).0, 1);
    assert_eq!(home.run(&["gen_key", "public", "none"]).0, 1);
    assert_eq!(home.run(&["gen_key", "pair"]).0, 2);
}

#[test]
fn help_completions_and_manual_come_from_the_same_definitions() {
    let home = Home::new();
    assert!(home.run(&["--help"]).1.contains("msp-client join msp1:…"));
    assert!(home.run(&["completions", "bash"]).1.contains("complete "));
    assert!(home.run(&["man", "call"]).1.contains(".TH"));
}
