//! The commented sample and the reference against the code.

use std::collections::BTreeMap;
use std::path::PathBuf;

use msp_settings::{Settings, Sources, function_reference, key_documentation, reference};

use crate::Scratch;

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

fn load_shipped(config: PathBuf) -> Settings {
    let modules = Some(shipped("modules.ini"));
    Settings::load(&Sources { config: Some(config), modules, ..Sources::default() }).unwrap()
}

/// Where each key of the settings comes from: true when the file sets it.
fn values(settings: &Settings) -> BTreeMap<(&'static str, &'static str), (String, bool)> {
    let row = |row: &msp_settings::Effective| {
        ((row.section, row.key), (row.value.clone(), row.origin != "built-in default"))
    };
    settings.effective.iter().map(row).collect()
}

#[test]
fn the_sample_sets_what_the_container_needs_and_else_what_the_code_does() {
    let container: BTreeMap<_, _> =
        CONTAINER.iter().map(|(section, key, value)| ((*section, *key), *value)).collect();
    for (name, (value, _)) in values(&load_shipped(shipped("config.ini"))) {
        let default = reference().iter().map(|key| key.definition());
        let default = default.into_iter().find(|key| (key.section, key.name) == name).unwrap().default;
        assert_eq!(value, *container.get(&name).unwrap_or(&default), "{name:?}");
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
    let built_in = Settings::load(&Sources::default()).unwrap();
    assert_eq!(load_shipped(shipped("config.ini")).modules, built_in.modules);
}

#[test]
fn every_default_of_a_functions_section_is_the_cores() {
    let defaults = function_reference().iter().map(|key| key.definition());
    let defaults = defaults.map(|key| format!("{}={}\n", key.name, key.default)).collect::<String>();
    let with_section = Scratch::new().modules(&format!("[Modules]\na=b\n[a]\n{defaults}")).load();
    assert_eq!(with_section.modules, Scratch::new().modules("[Modules]\na=b\n").load().modules);
    assert_eq!(with_section.modules[0].limits, msp_core::FunctionLimits::default());
}

#[test]
fn every_key_is_documented_with_its_default_and_range() {
    let text = key_documentation();
    for key in reference().iter().chain(function_reference()) {
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
    assert!(page.contains(&msp_settings::key_documentation()), "{}", msp_settings::key_documentation());
}
