//! Every refusal: its exit code, and the line that says what would be right.

use crate::harness::{Outcome, WorkingFolder};

/// A key that nobody registered.
const KEY: &str = "iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=";

fn refusals(folder: &WorkingFolder, lines: &[&str]) -> String {
    let refusal = |line: &&str| {
        let outcome = folder.run(line);
        assert_eq!(outcome.stdout, "", "{line}");
        format!("$ {line}\n{}: {}", outcome.code, outcome.stderr)
    };
    folder.stable(&lines.iter().map(refusal).collect::<String>())
}

#[test]
fn a_wrong_command_line_ends_with_2_but_with_1_from_appendclient() {
    let folder = WorkingFolder::new();
    let text = refusals(
        &folder,
        &[
            "gen_key pair",
            "gen_key pair a b",
            "appendclient",
            "appendclient a b",
            "appendclient a --name .x",
            "purgeclients now",
            "msp-admin client revoke",
            "msp-admin client revoke a --key b",
            "msp-admin client expire a --in 3",
            "msp-admin client expire a --in 3d --never",
            "msp-admin client grant a",
            "msp-admin client grant a --standard --allow b",
            "msp-admin apikey add",
            "msp-admin apikey add .x",
            "msp-admin apikey add a --expires 3",
            "msp-admin apikey revoke",
            "msp-admin why xyz",
            "msp-admin why --last 0",
            "msp-admin bans lift here",
        ],
    );
    insta::assert_snapshot!(text);
}

#[test]
fn what_cannot_be_done_ends_with_1_and_one_line() {
    let folder = WorkingFolder::new();
    folder.add("--name laptop");
    folder.run("msp-admin apikey add deploy");
    folder.write("bad/config.ini", "[Server]\nKeypaht = x\n");
    folder.write("damaged/server.key", "nonsense");
    folder.write("full/config.ini", "[Registry]\nUrl = sqlite:/nowhere/registry.db\n");
    folder.write("text/config.ini", "[Registry]\nUrl = sqlite:text/config.ini\n");
    let text = refusals(
        &folder,
        &[
            "gen_key foo x",
            "gen_key public x",
            "gen_key pair sec/server",
            "appendclient rubbish",
            "appendclient AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==",
            "appendclient AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            &format!("appendclient {KEY} --name laptop"),
            &format!("appendclient {KEY} --url share.example.org"),
            &format!("appendclient {KEY} --config full/config.ini"),
            &format!("appendclient {KEY} --config text/config.ini"),
            "appendclient x --config nowhere.ini",
            "msp-admin client list --config bad/config.ini",
            "msp-admin client show nobody",
            "msp-admin client rotate nobody",
            "msp-admin client revoke nobody",
            &format!("msp-admin client revoke --key {KEY}"),
            "msp-admin client revoke --secret-file damaged/server.key",
            "msp-admin client expire nobody --never",
            "msp-admin client disable nobody",
            "msp-admin client grant nobody --standard",
            "msp-admin apikey add deploy",
            "msp-admin apikey list --config full/config.ini",
            "msp-admin apikey revoke nobody --yes",
            "msp-admin bans",
            "msp-admin backup nowhere/file",
            "msp-admin backup damaged/server.key",
            "msp-admin restore nowhere --yes",
            "msp-admin restore damaged/server.key --yes",
            "msp-admin man --dir nowhere",
        ],
    );
    insta::assert_snapshot!(text);
}

#[test]
fn a_secret_given_as_an_argument_is_refused_and_not_repeated() {
    let folder = WorkingFolder::new();
    let (_, secret, _) = folder.add("");
    let outcome = folder.run(&format!("msp-admin client revoke --secret {secret}"));
    assert_eq!(outcome.code, 2);
    assert!(
        outcome.stderr.contains("shell's history") && !outcome.stderr.contains(&secret),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = WorkingFolder::new();
    for line in
        ["msp-admin completions bash", "msp-admin man", "msp-admin check-config --show", "msp-admin --help"]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let outcome = Outcome::of(folder.command(line).stdout(writer).spawn().unwrap());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{line}");
    }
}
