//! What the original's three tools do, they do.

use msp_protocol::enrolment::Enrolment;
use msp_protocol::{OsRng, PrivateKey, Secret};

use crate::harness::{Outcome, WorkingFolder};

#[test]
fn share_point_22_gen_key_pair_makes_two_private_files_that_fit_each_other() {
    let folder = WorkingFolder::empty();
    let outcome = folder.run("gen_key Pair x");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""));
    assert_eq!(folder.stable(&outcome.stdout), "Generated: x.key\nGenerated: /here/x.pub\n");
    for file in ["x.key", "x.pub"] {
        assert_eq!((folder.mode(file), folder.path(file).metadata().unwrap().len()), (0o600, 44), "{file}");
    }
    let key = msp_keyfile::read_private_key(&folder.path("x.key")).unwrap();
    assert_eq!(msp_keyfile::read_public_key(&folder.path("x.pub")).unwrap(), *key.public());
}

#[test]
fn gen_key_keeps_a_private_key_unless_forced_and_makes_its_public_half_again() {
    let folder = WorkingFolder::empty();
    assert_eq!(folder.run("gen_key private a.b").stdout, "Generated: a.b.key\n");
    let first = msp_keyfile::read_private_key(&folder.path("a.b.key")).unwrap();
    assert_eq!(folder.run("gen_key private a.b").code, 1);
    let outcome = folder.run("gen_key PUBLIC a.b");
    assert_eq!(folder.stable(&outcome.stdout), "Generated: /here/a.b.pub\n");
    assert_eq!(msp_keyfile::read_public_key(&folder.path("a.b.pub")).unwrap(), *first.public());
    assert_eq!(folder.run("msp-admin gen_key private a.b --force").code, 0);
    let second = msp_keyfile::read_private_key(&folder.path("a.b.key")).unwrap();
    assert_ne!(first.public(), second.public());
}

#[test]
fn share_point_23_twelve_parallel_calls_of_appendclient_register_twelve_clients() {
    let folder = WorkingFolder::new();
    let append = || {
        let key = PrivateKey::generate(&mut OsRng);
        folder.spawn(&format!("appendclient {}", key.public()), "")
    };
    let children: Vec<_> = std::iter::repeat_with(append).take(12).collect();
    for child in children {
        let outcome = Outcome::of(child);
        assert_eq!(outcome.code, 0, "{outcome:?}");
    }
    let list = folder.json("msp-admin client list");
    assert_eq!(list["unlinked"].as_array().unwrap().len(), 12);
    assert_eq!(list["unlinked_secrets"], 12);
}

#[test]
fn share_point_23_a_bad_key_or_a_registered_one_changes_nothing() {
    let folder = WorkingFolder::new();
    let (key, ..) = folder.add("");
    let before = folder.json("msp-admin client list");
    let audit = folder.json("msp-admin audit");
    let known = key.public().to_string();
    let bad = [
        known.as_str(),
        "rubbish",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "7f///////////////////////////////////////38=",
    ];
    for key in bad {
        let outcome = folder.run(&format!("appendclient {key}"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""), "{key}: {outcome:?}");
        assert!(!outcome.stderr.contains("Secret"), "{outcome:?}");
    }
    assert_eq!(folder.json("msp-admin client list"), before);
    assert_eq!(folder.json("msp-admin audit"), audit);
}

#[test]
fn share_point_24_appendclient_prints_the_secret_and_the_server_key_as_the_original_does() {
    let folder = WorkingFolder::new();
    let (_, secret, outcome) = folder.add("");
    assert!(Secret::parse(&secret).is_ok(), "{secret}");
    assert_eq!(outcome.stdout, format!("Server public key:\n\t{}\n", folder.server_key()));
    let stamp = outcome.stderr.split_once("] INFO: Client Hex Secret: ").unwrap().0;
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "[9999-99-99 99:99:99,999");
    assert!(outcome.stderr.contains("Hint: with --url"), "{}", outcome.stderr);
    let seen =
        format!("Server fingerprint: {}, as `msp-client join` shows it\n", folder.server_key().fingerprint());
    assert!(outcome.stderr.contains(&seen), "{}", outcome.stderr);
}

#[test]
fn the_enrolment_line_holds_the_name_of_a_linked_client_only() {
    let folder = WorkingFolder::new();
    folder.write("config/config.ini", "[Server]\nPublicUrl = https://share.example.org/\n");
    let (key, secret, outcome) = folder.add("");
    let opened = Enrolment::open(outcome.enrolment(), &key).unwrap();
    assert_eq!((opened.url.as_str(), opened.name), ("https://share.example.org", None));
    assert_eq!((opened.server, opened.secret.dangerously_as_str()), (folder.server_key(), secret.as_str()));
    let (key, _, outcome) = folder.add("--name laptop --url http://10.0.0.1:8000");
    let opened = Enrolment::open(outcome.enrolment(), &key).unwrap();
    assert_eq!((opened.url.as_str(), opened.name), ("http://10.0.0.1:8000", Some("laptop".parse().unwrap())));
}

#[test]
fn without_the_server_keys_nothing_is_registered_and_a_lost_public_half_is_rebuilt() {
    let folder = WorkingFolder::empty();
    let key = PrivateKey::generate(&mut OsRng);
    let outcome = folder.run(&format!("appendclient {}", key.public()));
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert!(outcome.stderr.starts_with("error: sec/server.pub is missing"), "{}", outcome.stderr);
    assert!(!folder.path("sec/registry.db").exists());

    let folder = WorkingFolder::new();
    std::fs::remove_file(folder.path("sec/server.pub")).unwrap();
    let (_, _, outcome) = folder.add("");
    assert_eq!(outcome.stdout, format!("Server public key:\n\t{}\n", folder.server_key()));
}

#[test]
fn share_point_25_purgeclients_deletes_on_y_aborts_on_n_and_takes_nothing_else() {
    let folder = WorkingFolder::new();
    folder.add("");
    folder.add("--name laptop");
    let left = PrivateKey::generate(&mut OsRng);
    folder.write("sec/client_1.pub", &left.public().to_string());
    folder.write("sec/clients.dev", &format!("{}\n", Secret::generate(&mut OsRng).dangerously_as_str()));

    for (typed, said, code) in
        [("n\n", "Abort", 0), ("N\n", "Abort", 0), ("x\n", "Invalid input!", 1), ("", "Invalid input!", 1)]
    {
        let outcome = folder.answer("purgeclients", typed);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (code, ""), "{typed:?}");
        assert_eq!(outcome.stdout, format!("Delete all clients and their secrets? (y|n) {said}\n"));
    }
    let dry = folder.run("purgeclients --dry-run");
    assert!(dry.stdout.contains("Would delete sec/client_1.pub\n"), "{}", dry.stdout);
    assert_eq!(folder.json("msp-admin client list")["linked"].as_array().unwrap().len(), 1);

    let outcome = folder.answer("purgeclients", "Y\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    for deleted in ["sec/client_1.pub", "sec/clients.dev", "client laptop", "1 unlinked secrets"] {
        assert!(outcome.stdout.contains(&format!("Deleting {deleted}\n")), "{deleted}: {}", outcome.stdout);
    }
    assert!(outcome.stdout.contains("restart the server"), "{}", outcome.stdout);
    assert!(!folder.path("sec/client_1.pub").exists() && !folder.path("sec/clients.dev").exists());
    let list = folder.json("msp-admin client list");
    assert_eq!(
        (list["linked"].as_array().unwrap().len(), list["unlinked"].as_array().unwrap().len()),
        (0, 0)
    );
    assert_eq!(list["unlinked_secrets"], 0);
}

#[test]
fn what_was_purged_is_kept_aside_and_purging_nothing_makes_no_registry() {
    let folder = WorkingFolder::new();
    assert_eq!(folder.run("purgeclients --yes").code, 0);
    assert!(!folder.path("sec/registry.db").exists());

    folder.write("sec/client_1.pub", "old");
    let moved = folder.json("msp-admin client purge --yes")["moved_to"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read_to_string(folder.path(&moved).join("client_1.pub")).unwrap(), "old");
    assert_eq!(folder.mode(&moved), 0o700);
}

#[test]
fn a_purged_client_is_reinstated_by_appending_it_again() {
    let folder = WorkingFolder::new();
    let (key, ..) = folder.add("");
    assert_eq!(folder.run("purgeclients --yes").code, 0);
    let outcome = folder.run(&format!("appendclient {}", key.public()));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stderr.starts_with("Note: this key was revoked"), "{}", outcome.stderr);
    assert_eq!(folder.json("msp-admin client list")["unlinked"][0]["key"], key.public().to_string());
}
