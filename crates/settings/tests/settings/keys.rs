//! What the definitions of the keys say of themselves, and who may have others.

use msp_settings::Settings;

use crate::Scratch;

#[test]
fn what_waits_for_the_next_start_is_named_and_nothing_else() {
    let started = Scratch::new().load();
    let waiting = |config: &str| Scratch::new().config(config).load().waiting_for_start(&started);
    assert_eq!(
        waiting(
            "[Log]\nFolder=elsewhere\nAccess=yes\n[network]\nport=9000\nHosts=a\n[Limits]\nBody=1K\nConnections=5\n"
        ),
        ["[network] port", "[Limits] Connections", "[Log] Folder"]
    );
    assert_eq!(waiting("[Clients]\nRequestTTL=60\n[Doors]\nsealed=yes\n[Guard]\nCallerShare=0.5\n"), [""; 0]);
    assert_eq!(waiting("[Log]\nMaxFiles=05\nJson=off\n"), [""; 0], "other words for the same");
}

#[test]
fn a_program_without_doors_leaves_alone_what_may_be_theirs() {
    let load = |scratch: &Scratch| Settings::load(&scratch.sources);
    let scratch = Scratch::new()
        .config("[paths]\nplugins=${no:such}\n[auth]\nkey=x\n[later]\nport=x\n[Clients]\nRequestTTL=20\n")
        .plugins("[auth]\nnothing=1\n[cors]\nenabled=ture\n[own]\na=int:x\n[network]\nport=7\n")
        .environment("MSP__AUTH__APIKEY", "0123456789abcdef")
        .option("paths.documents", "d");
    let settings = load(&scratch).unwrap();
    assert_eq!((settings.clients.request_ttl.as_secs(), settings.network.port), (20, 7));
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
    assert!(!format!("{settings:?}").contains("0123456789abcdef"));
    let refusal = |scratch: Scratch| scratch.clean(&load(&scratch).unwrap_err().to_string());
    insta::assert_snapshot!(refusal(Scratch::new().config("[Clients]\nPath=x\n")), @r#"/config/config.ini line 2: [Clients] has no key "path"; it has Keypath, Register, RequestTTL, Classic"#);
    insta::assert_snapshot!(refusal(Scratch::new().environment("MSP__SSL__KEY", "x")), @r#"environment variable MSP__SSL__KEY: [SSL] has no key "key"; it has enabled, keyfile, certfile"#);
    assert!(refusal(Scratch::new().environment("MSP__CLIENT__KEYPATH", "x")).contains("no such setting"));
    insta::assert_snapshot!(refusal(Scratch::new().environment("MSP__PORT", "1")), @"environment variable MSP__PORT: no such setting; sections are Clients, Doors, Guard, Limits, Log, Ops, Proxy, Registry, Runners, SSL, Server, network, paths, for instance MSP__CLIENTS__REQUESTTTL");
    assert!(
        Scratch::new().config("[paths]\nplugins=x\n").try_load().is_err(),
        "one that knows all doors does not"
    );
}
