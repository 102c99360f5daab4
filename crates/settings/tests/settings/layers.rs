use std::path::{Path, PathBuf};
use std::time::Duration;

use msp_settings::{LogLevel, Settings, Sources};

use crate::Scratch;

#[test]
fn without_any_file_the_built_in_defaults_hold() {
    let settings = Settings::load(&Sources::default()).unwrap();
    assert_eq!(settings.server.keypath, Path::new("sec"));
    assert_eq!(settings.server.address_ttl, Duration::from_secs(300));
    assert_eq!(settings.server.public_url, None);
    assert_eq!((settings.network.bindto.to_string().as_str(), settings.network.port), ("127.0.0.1", 8000));
    assert_eq!(settings.clients.register, Path::new("sec/clients.dev"));
    assert_eq!(settings.clients.request_ttl, Duration::from_secs(30));
    assert!(settings.clients.classic && settings.doors.sealed && settings.doors.ops);
    assert_eq!((settings.ops.bindto.to_string().as_str(), settings.ops.port), ("127.0.0.1", 8001));
    assert_eq!(settings.registry.url, "sqlite:sec/registry.db");
    assert_eq!((settings.guard.max_entries, settings.guard.caller_share), (1_000_000, 0.0625));
    assert_eq!((settings.limits.body, settings.limits.answer), (65_536, 1_048_576));
    assert_eq!(settings.runners.python_workers, 2);
    assert_eq!((settings.log.level, settings.log.max_files, settings.log.json), (LogLevel::Info, 5, false));
    assert_eq!(settings.log.directory, Path::new("log"));
    assert_eq!(settings.search_path, [Path::new("modules")]);
    assert_eq!((settings.config_path, settings.modules_path), (None, None));
    assert!(settings.warnings.is_empty());
    let modules: Vec<_> =
        settings.modules.iter().map(|spec| (spec.function.as_str(), &*spec.module)).collect();
    assert_eq!(modules, [("time_test", "simple_time")]);
}

#[test]
fn each_layer_overrides_the_one_below_and_its_origin_is_known() {
    let origin = |scratch: &Scratch| {
        let settings = scratch.load();
        let row = settings.effective.iter().find(|row| row.key == "RequestTTL").unwrap();
        assert_eq!(row.value, settings.clients.request_ttl.as_secs().to_string());
        (row.value.clone(), scratch.clean(&row.origin))
    };
    let row = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    let mut scratch = Scratch::new();
    assert_eq!(origin(&scratch), row("30", "built-in default"));
    scratch = scratch.config("# comment\n[clients]\nREQUESTTTL: 31\n");
    assert_eq!(origin(&scratch), row("31", "/config/config.ini line 3"));
    scratch = scratch.environment("MSP__Clients__RequestTTL", "32");
    assert_eq!(origin(&scratch), row("32", "environment variable MSP__Clients__RequestTTL"));
    scratch = scratch.option("Clients.RequestTTL", "33");
    assert_eq!(origin(&scratch), row("33", "command line, Clients.RequestTTL"));
    assert_eq!(scratch.load().config_path, scratch.sources.config);
}

#[test]
fn the_variables_of_the_original_work() {
    let mut scratch = Scratch::new();
    let config = scratch.file("c.ini", "[network]\nport=1\n");
    let modules = scratch.file("m.ini", "[Modules]\na=b\n");
    scratch = scratch
        .environment("MSP_CONFIG_PATH", &config.to_string_lossy())
        .environment("MSP_MODCONF_PATH", &modules.to_string_lossy())
        .environment("MSP_LOGFILE_PATH", "/log")
        .environment("MSP_LOGLEVEL", "debug")
        .environment("MSP_MAXLOGS", "0")
        .environment("PYTHONPATH", "/app/modules::/opt/more")
        .environment("HOME", "/root");
    let settings = scratch.load();
    assert_eq!(
        (settings.network.port, settings.config_path, settings.modules_path),
        (1, Some(config), Some(modules))
    );
    assert_eq!((settings.log.level, settings.log.max_files), (LogLevel::Debug, 0));
    assert_eq!(settings.log.directory, Path::new("/log"));
    assert_eq!(settings.search_path, [PathBuf::from("/app/modules"), PathBuf::from("/opt/more")]);
}

#[test]
fn an_empty_variable_of_the_original_counts_as_not_set_and_an_option_wins_over_it() {
    let names = ["MSP_CONFIG_PATH", "MSP_MODCONF_PATH", "MSP_LOGFILE_PATH", "MSP_MAXLOGS", "PYTHONPATH"];
    let empty = names.into_iter().fold(Scratch::new(), |scratch, name| scratch.environment(name, ""));
    assert_eq!(empty.load().log.max_files, 5);
    let both = Scratch::new().environment("MSP_CONFIG_PATH", "/missing").config("[network]\nport=2\n");
    assert_eq!(both.load().network.port, 2);
}

#[test]
fn an_unknown_log_level_means_warning_and_is_told() {
    let scratch = Scratch::new().environment("MSP_LOGLEVEL", "chatty");
    assert_eq!(scratch.load().log.level, LogLevel::Warning);
    insta::assert_snapshot!(scratch.warnings().join("\n"), @"environment variable MSP_LOGLEVEL: no such level, so WARNING; it may be DEBUG, INFO, WARNING, ERROR or CRITICAL");
}

#[test]
fn a_section_that_is_not_ours_is_left_alone_and_told() {
    let scratch = Scratch::new().config("[Client]\nRequestTTL=abc\n[network]\nport=1\n");
    assert_eq!(scratch.load().network.port, 1);
    insta::assert_snapshot!(scratch.warnings().join("\n"), @"/config/config.ini line 1: [client] is not read by this version");
}

#[test]
fn share_point_17_a_file_that_is_named_but_missing_stops_the_start() {
    let mut scratch = Scratch::new();
    scratch.sources.config = Some(scratch.folder.path().join("no.ini"));
    insta::assert_snapshot!(scratch.refusal(), @"--config: /config/no.ini does not exist; check the path");
    let mut scratch = Scratch::new();
    scratch.sources.modules = Some(scratch.folder.path().join("no.ini"));
    insta::assert_snapshot!(scratch.refusal(), @"--modules: /config/no.ini does not exist; check the path");
    insta::assert_snapshot!(Scratch::new().environment("MSP_CONFIG_PATH", "/no/c.ini").refusal(), @"MSP_CONFIG_PATH: /no/c.ini does not exist; check the path");
    insta::assert_snapshot!(Scratch::new().environment("MSP_MODCONF_PATH", "/no/m.ini").refusal(), @"MSP_MODCONF_PATH: /no/m.ini does not exist; check the path");
    let mut scratch = Scratch::new();
    scratch.sources.config = Some(scratch.folder.path().to_owned());
    insta::assert_snapshot!(scratch.refusal(), @"--config: cannot read /config: Is a directory (os error 21); check the path, its owner and its permissions");
}
