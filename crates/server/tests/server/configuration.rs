//! The keys of all doors: the commented sample and the reference against the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use msp_server::{Configuration, keys};
use msp_settings::keys::FUNCTION;
use msp_settings::{AnyKey, Counts, KeyTable, SECTIONS_OF_DOORS, Settings, Sources};

use crate::scratch::Scratch;

/// What the container sets otherwise than the code.
const CONTAINER: [(&str, &str, &str); 4] = [
    ("Server", "Keypath", "/sec"),
    ("network", "bindto", "0.0.0.0"),
    ("Clients", "Keypath", "/sec"),
    ("Clients", "Register", "/sec/clients.dev"),
];

fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../config-docker").join(name)
}

/// Every key of config.ini and of a function's section.
fn all() -> impl Iterator<Item = &'static dyn AnyKey> {
    keys().iter().collect::<Vec<_>>().into_iter().chain(FUNCTION.iter().copied())
}

fn load(sources: &Sources) -> Settings {
    (*Configuration::load(sources).unwrap().settings).clone()
}

/// The one line for the operator.
fn refusal(scratch: &Scratch) -> String {
    scratch.clean(&Configuration::load(&scratch.sources).unwrap_err().to_string())
}

fn load_shipped(config: PathBuf) -> Settings {
    let modules = Some(shipped("modules.ini"));
    load(&Sources { config: Some(config), modules, ..Sources::default() })
}

/// Where each key of the settings comes from: true when the file sets it.
fn values(settings: &Settings) -> BTreeMap<(&'static str, &'static str), (String, bool)> {
    let row = |row: &msp_settings::Effective| {
        ((row.section, row.key), (row.value.clone(), row.origin != "built-in default"))
    };
    settings.effective.iter().map(row).collect()
}

#[test]
fn a_program_without_doors_knows_the_sections_that_doors_have() {
    let sections = |table: KeyTable| -> BTreeSet<_> {
        table.iter().map(|key| (key.definition().section, key.definition().name)).collect()
    };
    let of_doors =
        sections(keys()).difference(&sections(KeyTable::core())).map(|(section, _)| *section).collect();
    assert_eq!(BTreeSet::from(SECTIONS_OF_DOORS), of_doors);
}

#[test]
fn the_sample_sets_what_the_container_needs_and_else_what_the_code_does() {
    let container: BTreeMap<_, _> =
        CONTAINER.iter().map(|(section, key, value)| ((*section, *key), *value)).collect();
    for (name, (value, _)) in values(&load_shipped(shipped("config.ini"))) {
        let key = all().map(|key| key.definition()).find(|key| (key.section, key.name) == name).unwrap();
        assert_eq!(value, *container.get(&name).unwrap_or(&key.default), "{name:?}");
    }
}

#[test]
fn every_key_stands_in_the_sample_and_those_that_are_commented_out_are_right_too() {
    let text = std::fs::read_to_string(shipped("config.ini")).unwrap();
    let uncommented = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.contains('=') && !setting.starts_with(' ') => setting.to_owned(),
        _ => line.to_owned(),
    };
    let scratch = Scratch::new();
    let all = scratch.file("all.ini", &text.lines().map(uncommented).collect::<Vec<_>>().join("\n"));
    let sample = values(&load_shipped(shipped("config.ini")));
    for (name, (value, set)) in values(&load_shipped(all)) {
        assert!(set, "{name:?} is missing");
        assert_eq!(value, sample[&name].0, "{name:?}");
    }
}

#[test]
fn the_shipped_modules_are_the_built_in_ones() {
    let built_in = load(&Sources::default());
    assert_eq!(load_shipped(shipped("config.ini")).modules, built_in.modules);
}

#[test]
fn every_key_is_documented_with_its_default_and_range() {
    let text = keys().documentation();
    for key in all() {
        let about = key.definition();
        assert!(text.contains(&format!("\n| {} | ", about.name)), "{} is missing", about.name);
        assert!(text.contains(about.about) && text.contains(&key.expects()));
    }
    insta::assert_snapshot!(text.lines().find(|line| line.starts_with("| RequestTTL")).unwrap(), @"| RequestTTL | `30` | a whole number of seconds from 1 to 300 | How far a request's time may be from the server's, before or after. |");
    insta::assert_snapshot!(text.lines().find(|line| line.starts_with("| MaxFiles")).unwrap(), @"| MaxFiles | `5` | a whole number of files from 0 to 1000 | Rotated files that are kept, 10 MiB each; 0 means never rotate. Variable `MSP_MAXLOGS`. *At the next start.* |");
}

#[test]
fn the_page_on_configuration_shows_the_table_of_keys_as_it_is() {
    let page = include_str!("../../../../docs/CONFIG.md");
    assert!(page.contains(&keys().documentation()), "{}", keys().documentation());
}

#[test]
fn every_default_is_a_legal_value_of_its_own_key() {
    for key in all() {
        let about = key.definition();
        assert!(key.accepts(about.default), "{about:?} is not {}", key.expects());
    }
}

#[test]
fn no_two_keys_have_one_name() {
    let mut names = BTreeSet::new();
    for key in all() {
        let about = key.definition();
        for name in [Some(about.name), about.alias].into_iter().flatten() {
            assert!(names.insert((about.section, name.to_lowercase())), "{about:?}");
        }
    }
}

#[test]
fn each_key_that_counts_at_the_next_start_is_one_of_these() {
    let at_start = all().map(|key| key.definition()).filter(|key| key.counts == Counts::AtStart);
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for key in at_start {
        match sections.last_mut().filter(|(section, _)| *section == key.section) {
            Some((_, names)) => names.push(key.name),
            None => sections.push((key.section, vec![key.name])),
        }
    }
    let told = sections.iter().map(|(section, names)| format!("[{section}] {}", names.join(", ")));
    insta::assert_snapshot!(told.collect::<Vec<_>>().join("\n"), @"
    [Server] Keypath
    [network] bindto, port
    [Clients] Keypath
    [Doors] sealed, plugin, rpc, gateway, ops
    [Ops] bindto, port
    [paths] pidfile
    [SSL] enabled
    [Registry] Url
    [Guard] Url
    [Limits] Connections, HeadTimeout, IdleTimeout, DrainTimeout
    [Runners] Python, PythonWorkers, Isolation, WorkerUser, SearchPath
    [Log] Level, Folder, MaxFiles, Json, Access
    ");
}

#[test]
fn share_point_17_a_name_that_is_no_setting_stops_the_start() {
    insta::assert_snapshot!(refusal(&Scratch::new().config("[Clients]\n\nRequestTTTL=30\n")), @r#"/config/config.ini line 3: [Clients] has no key "requesttttl"; it has Keypath, Register, RequestTTL, Classic"#);
    insta::assert_snapshot!(refusal(&Scratch::new().environment("MSP__CLIENTS__TTL", "30")), @r#"environment variable MSP__CLIENTS__TTL: [Clients] has no key "ttl"; it has Keypath, Register, RequestTTL, Classic"#);
    insta::assert_snapshot!(refusal(&Scratch::new().environment("MSP__CLIENT__REQUESTTTL", "30")), @"environment variable MSP__CLIENT__REQUESTTTL: no such setting; sections are Clients, Doors, Guard, Limits, Log, Ops, Proxy, Registry, Runners, SSL, Server, auth, cors, file_server, network, paths, for instance MSP__CLIENTS__REQUESTTTL");
    insta::assert_snapshot!(refusal(&Scratch::new().environment("MSP__PORT", "30")), @"environment variable MSP__PORT: no such setting; sections are Clients, Doors, Guard, Limits, Log, Ops, Proxy, Registry, Runners, SSL, Server, auth, cors, file_server, network, paths, for instance MSP__CLIENTS__REQUESTTTL");
    insta::assert_snapshot!(refusal(&Scratch::new().option("port", "30")), @"command line, port: no such setting; sections are Clients, Doors, Guard, Limits, Log, Ops, Proxy, Registry, Runners, SSL, Server, auth, cors, file_server, network, paths, for instance MSP__CLIENTS__REQUESTTTL");
    let twice = Scratch::new().environment("MSP__NETWORK__PORT", "1").environment("MSP__network__port", "2");
    insta::assert_snapshot!(refusal(&twice), @"environment variable MSP__network__port: [network] port stands there twice; keep one");
}
