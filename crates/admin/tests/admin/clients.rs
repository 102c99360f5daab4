//! Clients after they were added.

use msp_protocol::Secret;
use msp_protocol::enrolment::Enrolment;
use serde_json::{Value, json};

use crate::harness::WorkingFolder;

fn laptop(folder: &WorkingFolder) -> Value {
    folder.json("msp-admin client show laptop")
}

#[test]
fn a_linked_client_is_listed_with_its_grants_and_an_unlinked_one_is_only_counted() {
    let folder = WorkingFolder::new();
    let (key, ..) = folder.add("--name laptop --allow sys* --allow-write report");
    let (unlinked, ..) = folder.add("");
    let list = folder.run("msp-admin client list");
    let lines: Vec<_> = list.stdout.lines().collect();
    assert_eq!(lines[0], "NAME\tFINGERPRINT\tGRANTS\tADDED\tLAST USED\tEXPIRES\tSTATE");
    let day = lines[1].split('\t').nth(3).unwrap();
    let fingerprint = key.public().fingerprint();
    let expected = format!("laptop\t{fingerprint}\treport (write), sys* (read)\t{day}\t-\tnever\tactive");
    assert_eq!(lines[1..], [expected]);
    assert_eq!(list.stderr, "and 1 unlinked keys with 1 unlinked secrets (--keys lists the keys)\n");
    let keys = folder.run("msp-admin client list --keys").stdout;
    let row = format!("{}\t{}\tstandard\tnever\tactive", unlinked.public(), unlinked.public().fingerprint());
    assert_eq!(keys.lines().skip(1).collect::<Vec<_>>(), [row]);
}

#[test]
fn a_linked_client_is_closed_to_classic_unless_added_with_it() {
    let folder = WorkingFolder::new();
    folder.add("--name laptop");
    folder.add("--name old --classic");
    let (unlinked, ..) = folder.add("");
    assert_eq!(laptop(&folder)["classic"], false);
    assert_eq!(folder.json("msp-admin client show old")["classic"], true);
    let shown = folder.json(&format!("msp-admin client show {}", unlinked.public().fingerprint()));
    assert_eq!((&shown["classic"], &shown["name"]), (&json!(true), &Value::Null));
}

#[test]
fn rotating_gives_a_new_secret_and_a_new_enrolment_line_while_the_old_one_ends_later() {
    let folder = WorkingFolder::new();
    let (key, old, _) = folder.add("--name laptop");
    let outcome = folder.run("msp-admin client rotate laptop --overlap 1h --url https://new.example.org");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(outcome.stdout, format!("Server public key:\n\t{}\n", folder.server_key()));
    let opened = Enrolment::open(outcome.enrolment(), &key).unwrap();
    assert_eq!(opened.url, "https://new.example.org");
    assert_eq!(opened.secret.dangerously_as_str(), outcome.secret());
    assert_ne!(outcome.secret(), old);
    let shown = laptop(&folder);
    let left = shown["old_secret_until"].as_u64().unwrap() - shown["added"].as_u64().unwrap();
    assert!((3600..3660).contains(&left), "{left}");
}

#[test]
fn what_a_client_may_and_until_when_can_be_changed() {
    let folder = WorkingFolder::new();
    folder.add("--name laptop --expires 90d");
    assert_eq!(
        laptop(&folder)["expires"].as_u64().unwrap() - laptop(&folder)["added"].as_u64().unwrap(),
        7_776_000
    );
    assert_eq!(folder.run("msp-admin client expire laptop --at 2001-09-09T01:46:40Z").code, 0);
    assert_eq!(
        (&laptop(&folder)["expires"], &laptop(&folder)["state"]),
        (&json!(1_000_000_000), &json!("expired"))
    );
    assert_eq!(folder.run("msp-admin client expire laptop --never").stdout, "laptop expires: never\n");
    assert_eq!(laptop(&folder)["expires"], Value::Null);
    assert_eq!(folder.run("msp-admin client grant laptop --allow a --allow-write b/*").code, 0);
    let granted = json!([{ "functions": "a", "access": "read" }, { "functions": "b/*", "access": "write" }]);
    assert_eq!(laptop(&folder)["grants"], granted);
    assert_eq!(folder.run("msp-admin client grant laptop --standard").code, 0);
    assert_eq!(laptop(&folder)["grants"], Value::Null);
    assert_eq!(folder.run("msp-admin client disable laptop").stdout, "laptop: disabled\n");
    assert_eq!(laptop(&folder)["state"], "disabled");
    assert_eq!(folder.run("msp-admin client enable laptop").stdout, "laptop: enabled\n");
    assert_eq!(laptop(&folder)["state"], "active");
}

#[test]
fn revoking_one_half_of_an_unlinked_client_asks_for_the_other() {
    let folder = WorkingFolder::new();
    let (key, secret, _) = folder.add("");
    folder.write("client.secret", &format!("{secret}\n"));
    let outcome = folder.run("msp-admin client revoke --secret-file client.secret");
    assert!(outcome.stdout.contains("revoke its key too"), "{outcome:?}");
    let outcome = folder.run(&format!("msp-admin client revoke --key {}", key.public()));
    assert!(outcome.stdout.contains("revoke its secret too"), "{outcome:?}");
    let (_, secret, _) = folder.add("");
    let outcome = folder.answer("msp-admin client revoke --secret - --json", &format!(" {secret}\n"));
    let report: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(report, json!({ "revoked": "secret", "name": null, "other_half_needed": true }));
    folder.add("--name laptop");
    let outcome = folder.run("msp-admin client revoke laptop");
    assert_eq!(outcome.stdout, "Revoked laptop: its key and its secret do not work any more\n");
    assert_eq!(folder.run("msp-admin client show laptop").code, 1);
}

#[test]
fn share_point_31_what_was_revoked_is_not_imported_again_unless_revived() {
    let folder = WorkingFolder::new();
    let (key, secret, _) = folder.add("");
    folder.write("sec/client_1.pub", &key.public().to_string());
    folder.write("sec/client_2.pub", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    folder.write("sec/clients.dev", &format!("{secret}\n"));
    folder.run(&format!("msp-admin client revoke --key {}", key.public()));
    folder.answer("msp-admin client revoke --secret-file -", &secret);
    let outcome = folder.run("msp-admin import");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, "Imported 0 keys and 0 secrets; skipped 1\n"));
    assert!(outcome.stderr.starts_with("error: sec/client_2.pub skipped: "), "{}", outcome.stderr);
    let report = folder.json("msp-admin import --revive");
    assert_eq!((&report["keys_added"], &report["secrets_added"]), (&json!(1), &json!(1)));
    assert_eq!(folder.json("msp-admin import")["keys_added"], 0);
}

#[test]
fn the_audit_says_who_did_what_and_never_holds_a_secret() {
    let folder = WorkingFolder::new();
    let (key, first, _) = folder.add("");
    let (_, second, _) = folder.add("--name laptop");
    folder.run("msp-admin client disable laptop");
    let audit = folder.json("msp-admin audit");
    let actions: Vec<_> =
        audit.as_array().unwrap().iter().map(|row| row["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["client.disable", "client.add", "client.append"]);
    assert!(audit[0]["actor"].as_str().unwrap().starts_with("admin:"));
    let text = audit.to_string();
    for secret in [first, second] {
        let digest = Secret::parse(&secret).unwrap().digest().to_string();
        assert!(!text.contains(&secret) && !text.contains(&digest));
    }
    assert!(text.contains(&key.public().fingerprint()));
    assert_eq!(folder.json("msp-admin audit --last 1").as_array().unwrap().len(), 1);
}

#[test]
fn a_script_gets_all_of_a_new_client_as_json_on_standard_output() {
    let folder = WorkingFolder::new();
    let (_, _, _) = folder.add("--name other");
    let key = msp_protocol::PrivateKey::generate(&mut msp_protocol::OsRng);
    let outcome =
        folder.run(&format!("msp-admin client add {} --name laptop --url http://a --json", key.public()));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    let added: Value = serde_json::from_str(&outcome.stdout).unwrap();
    let opened = Enrolment::open(added["enrolment"].as_str().unwrap(), &key).unwrap();
    assert_eq!(added["secret"], opened.secret.dangerously_as_str());
    assert_eq!(added["server_public_key"], folder.server_key().to_string());
    assert_eq!(added["server_fingerprint"], folder.server_key().fingerprint());
    assert_eq!(
        (&added["name"], &added["fingerprint"]),
        (&json!("laptop"), &json!(key.public().fingerprint()))
    );
}
