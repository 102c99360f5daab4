//! The keys' own definitions.

use std::collections::BTreeSet;

use msp_settings::{Counts, function_reference, reference};

use crate::Scratch;

#[test]
fn every_default_is_a_legal_value_of_its_own_key() {
    for key in reference().iter().chain(function_reference()) {
        let about = key.definition();
        assert!(key.accepts(about.default), "{about:?} is not {}", key.expects());
    }
}

#[test]
fn no_two_keys_have_one_name() {
    let mut names = BTreeSet::new();
    for key in reference().iter().chain(function_reference()) {
        let about = key.definition();
        for name in [Some(about.name), about.alias].into_iter().flatten() {
            assert!(names.insert((about.section, name.to_lowercase())), "{about:?}");
        }
    }
}

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
fn each_key_that_counts_at_the_next_start_is_one_of_these() {
    let keys = reference().iter().chain(function_reference()).map(|key| key.definition());
    let at_start = keys.filter(|key| key.counts == Counts::AtStart);
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
