//! Refusals and bans, of a server that runs and of one that does not.

use msp_core::Ban;
use msp_core::control::{Refusal, Reply, Request};

use crate::harness::WorkingFolder;

const LOG: &str = "\
[2026-01-31 12:00:00,000][MINI-SEC-POINT] WARNING in r.rs: refused: a replay req=00000000000000aa address=192.0.2.1
[2026-01-31 12:00:01,000][MINI-SEC-POINT] INFO in s.rs: serving on 127.0.0.1:8000
[2026-01-31 12:00:02,000][MINI-SEC-POINT] WARNING in r.rs: refused: a replay req=00000000000000ab address=192.0.2.2
";

#[test]
fn without_a_server_the_log_and_its_rotated_files_are_searched() {
    let folder = WorkingFolder::new();
    folder.write("log/latest.log", LOG);
    folder.write("log/latest.log.1", &LOG.replace("00000000000000a", "00000000000000b"));
    let outcome = folder.run("msp-admin why 00000000000000AB");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (0, format!("{}\n", LOG.lines().nth(2).unwrap()).as_str())
    );
    assert_eq!(outcome.stderr, "No server runs: searching the log in log\n");
    let of_address = folder.run("msp-admin why --address 192.0.2.1").stdout;
    let ids: Vec<_> = of_address
        .lines()
        .map(|line| line.split("req=").nth(1).unwrap().split(' ').next().unwrap())
        .collect();
    assert_eq!(ids, ["00000000000000aa", "00000000000000ba"]);
    assert_eq!(folder.json("msp-admin why --last 3")["lines"].as_array().unwrap().len(), 3);
    let outcome = folder.run("msp-admin why 00000000000000ff");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (1, ""));
    assert!(
        outcome.stderr.ends_with("error: the log has no refusal 00000000000000ff\n"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_running_server_is_asked() {
    let folder = WorkingFolder::new();
    let refusal = Refusal {
        id: "00000000000000aa".to_owned(),
        at_ms: 1_769_860_800_123,
        address: "192.0.2.1".parse().unwrap(),
        client: Some("laptop".to_owned()),
        answer: "401".to_owned(),
        reason: "a replay\u{1b}[2J".to_owned(),
    };
    let server = folder.server(Reply::Refusals { refusals: vec![refusal] });
    let outcome = folder.run("msp-admin why --address 192.0.2.1 --last 7");
    assert_eq!(
        server.join().unwrap(),
        Request::Why { id: None, address: Some("192.0.2.1".parse().unwrap()), last: 7 }
    );
    assert_eq!(
        outcome.stdout,
        "TIME\tID\tADDRESS\tCLIENT\tANSWER\tREASON\n\
         2026-01-31 12:00:00,123\t00000000000000aa\t192.0.2.1\tlaptop\t401\ta replay\\u{1b}[2J\n"
    );
    let server = folder.server(Reply::Refusals { refusals: Vec::new() });
    let outcome = folder.run("msp-admin why 00000000000000aa");
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (1, "error: the server remembers no refusal 00000000000000aa\n")
    );
    server.join().unwrap();
}

#[test]
fn bans_are_listed_and_lifted() {
    let folder = WorkingFolder::new();
    let ban = Ban { address: "2001:db8::/64".to_owned(), failures: 9, remaining_sec: 3700 };
    let server = folder.server(Reply::Bans { bans: vec![ban] });
    assert_eq!(folder.run("msp-admin bans").stdout, "ADDRESS\tFAILURES\tENDS IN\n2001:db8::/64\t9\t1h 1m\n");
    assert_eq!(server.join().unwrap(), Request::Bans);
    let server = folder.server(Reply::Done);
    assert_eq!(folder.run("msp-admin bans lift 192.0.2.1").stdout, "192.0.2.1 is off the ban list\n");
    assert_eq!(server.join().unwrap(), Request::LiftBan { address: "192.0.2.1".parse().unwrap() });
    let server = folder.server(Reply::Failed { message: "192.0.2.1 is not on the ban list".to_owned() });
    let outcome = folder.run("msp-admin bans lift 192.0.2.1");
    assert_eq!(
        (outcome.code, outcome.stderr.as_str()),
        (1, "error: the server: 192.0.2.1 is not on the ban list\n")
    );
    server.join().unwrap();
}
