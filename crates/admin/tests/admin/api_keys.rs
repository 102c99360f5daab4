//! Keys of REST callers.

use std::path::Path;

use msp_core::control::{Reply, Request};
use msp_protocol::Digest;
use serde_json::{Value, json};

use crate::harness::{Outcome, WorkingFolder};

/// Adds an api key, which must succeed.
fn add(folder: &WorkingFolder, options: &str) -> Outcome {
    let outcome = folder.run(&format!("msp-admin apikey add {options}"));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    outcome
}

/// The files below this folder that hold the text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if std::fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn plugin_25_a_key_is_printed_once_on_standard_output_and_is_nowhere_else() {
    let folder = WorkingFolder::empty();
    let outcome = add(&folder, "deploy --allow plugin/list --allow-query");
    let key = outcome.stdout.strip_suffix('\n').unwrap();
    assert!(key.starts_with("msp_") && key.len() == 47 && !key.contains(char::is_whitespace), "{key}");
    assert_eq!(
        outcome.stderr,
        "Hint: it is shown only now; callers send it in a header: `Authorization: Bearer …`, \
         or in the query: `?apikey=…`\n"
    );
    let drawn = &key[4..];
    let lines = ["apikey list", "audit", "audit --json", "apikey list --json"];
    for line in lines {
        let outcome = folder.run(&format!("msp-admin {line}"));
        assert!(outcome.stdout.contains("deploy") && !outcome.stdout.contains(drawn), "{line}: {outcome:?}");
        let digest = Digest::of(key.as_bytes()).to_string();
        assert!(!outcome.stdout.contains(&digest), "{line}: {outcome:?}");
    }
    assert_eq!(folder.run("msp-admin backup copy").code, 0);
    assert_eq!(holding(&folder.path(""), drawn), Vec::<String>::new());
    assert!(holding(&folder.path(""), "plugin/list").contains(&"registry.db".to_owned()));
}

#[test]
fn keys_are_listed_with_what_they_may_until_when_and_how() {
    let folder = WorkingFolder::empty();
    add(&folder, "reports --allow sys* --allow-write report");
    add(&folder, "monitoring --expires 90d --allow-query");
    let listed = folder.json("msp-admin apikey list");
    let (monitoring, reports) = (&listed[0], &listed[1]);
    let added = monitoring["added"].as_u64().unwrap();
    assert_eq!(
        *monitoring,
        json!({ "name": "monitoring", "grants": null, "added": added, "last_used": null,
                "expires": added + 7_776_000, "allow_query": true, "state": "active" })
    );
    let granted =
        json!([{ "functions": "report", "access": "write" }, { "functions": "sys*", "access": "read" }]);
    assert_eq!((&reports["grants"], &reports["allow_query"]), (&granted, &json!(false)));
    let text = folder.run("msp-admin apikey list").stdout;
    let lines: Vec<_> = text.lines().collect();
    let day = lines[2].split('\t').nth(2).unwrap();
    assert_eq!(lines[0], "NAME\tGRANTS\tADDED\tLAST USED\tEXPIRES\tQUERY\tSTATE");
    assert!(lines[1].ends_with("\tyes\tactive"), "{text}");
    assert_eq!(lines[2], format!("reports\treport (write), sys* (read)\t{day}\t-\tnever\tno\tactive"));
    assert_eq!(lines.len(), 3);
}

#[test]
fn an_expired_key_stays_listed() {
    let folder = WorkingFolder::empty();
    add(&folder, "short --expires 1s");
    let state = || folder.json("msp-admin apikey list")[0]["state"].clone();
    while state() == "active" {}
    assert_eq!(state(), "expired");
}

#[test]
fn a_key_is_revoked_when_the_question_is_answered_by_y() {
    let folder = WorkingFolder::empty();
    let first = add(&folder, "deploy").stdout;
    let outcome = folder.answer("msp-admin apikey revoke deploy", "n\n");
    assert_eq!(outcome.code, 0);
    assert_eq!(outcome.stdout, "Revoke the api key deploy for good? (y|n) Abort\n");
    assert_eq!(folder.json("msp-admin apikey list").as_array().unwrap().len(), 1);
    let outcome = folder.answer("msp-admin apikey revoke deploy", "y\n");
    assert!(outcome.stdout.ends_with("Revoked the api key deploy\n"), "{outcome:?}");
    assert_ne!(add(&folder, "deploy").stdout, first);
    assert_eq!(folder.json("msp-admin apikey revoke deploy --yes"), json!({ "revoked": "deploy" }));
    assert_eq!(folder.json("msp-admin apikey list"), json!([]));
    let audit = folder.json("msp-admin audit");
    let actions = audit.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap());
    let expected = ["apikey.revoke", "apikey.add", "apikey.revoke", "apikey.add"];
    assert_eq!(actions.collect::<Vec<_>>(), expected);
}

#[test]
fn a_restore_brings_api_keys_back_but_not_what_was_revoked_since() {
    let folder = WorkingFolder::empty();
    for name in ["deploy", "leaked"] {
        add(&folder, name);
    }
    folder.run("msp-admin backup copy");
    folder.run("msp-admin apikey revoke leaked --yes");
    assert_eq!(folder.run("msp-admin restore copy --yes").code, 0);
    let listed = folder.json("msp-admin apikey list");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!(listed[0]["name"], "deploy");
}

#[test]
fn a_purge_says_that_api_keys_stay() {
    let folder = WorkingFolder::new();
    folder.add("--name laptop");
    add(&folder, "deploy");
    let outcome = folder.run("purgeclients --yes");
    assert_eq!(outcome.stderr, "1 api keys stay; msp-admin apikey list shows them\n");
    assert_eq!(folder.json("msp-admin apikey list")[0]["name"], "deploy");
}

#[test]
fn a_running_server_is_told_to_follow() {
    let folder = WorkingFolder::empty();
    for line in ["msp-admin apikey add deploy", "msp-admin apikey revoke deploy --yes"] {
        let server = folder.server(Reply::Done);
        assert_eq!(folder.run(line).code, 0, "{line}");
        assert_eq!(server.join().unwrap(), Request::Follow, "{line}");
    }
}

#[test]
fn a_script_gets_the_key_as_json_on_standard_output() {
    let folder = WorkingFolder::empty();
    let outcome = add(&folder, "deploy --json");
    assert_eq!(outcome.stderr, "");
    let added: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((&added["name"], &added["expires"]), (&json!("deploy"), &Value::Null));
    assert!(added["api_key"].as_str().unwrap().starts_with("msp_"));
}
