//! What an operator or a new user is told who makes one of the likely mistakes.
//!
//! The snapshot is a table in Markdown, mistake → exit code → message; each message must be one line.

use std::process::Output;

use msp_protocol::{OsRng, PrivateKey};

use super::clients::registered;
use msp_testkit::ProgramFolder;

/// What went wrong, the files that it left in the folder, and the command that is run then. `KEY` stands for a public
/// key that nobody else has, `URL` for the server's address.
struct Mistake(&'static str, &'static [(&'static str, &'static str)], &'static str);

const SERVER: &str = "msp-server --port 0";
const CHECK: &str = "msp-server --check-config";

/// Mistakes that need no running server.
const ALONE: &[Mistake] = &[
    Mistake("a value out of range", &[("config/config.ini", "[Clients]\nRequestTTL=0\n")], SERVER),
    Mistake("a misspelt setting", &[("config/config.ini", "[network]\nPrt=80\n")], SERVER),
    Mistake("a value without its section", &[("config/config.ini", "Port=80\n")], SERVER),
    Mistake("a line that is no setting", &[("config/config.ini", "[network]\nlisten on 80\n")], SERVER),
    Mistake("--config that names no file", &[], "msp-server --port 0 --config /etc/mps/config.ini"),
    Mistake("a port that is no port", &[], "msp-server --port 80000"),
    Mistake("an address that is none", &[("config/config.ini", "[network]\nbindto=localhost:80\n")], SERVER),
    Mistake(
        "a certificate that is not there",
        &[("config/config.ini", "[ssl]\nenabled=true\ncertfile=cert.pem\nkeyfile=key.pem\n")],
        SERVER,
    ),
    Mistake(
        "a certificate without its key",
        &[("config/config.ini", "[ssl]\nenabled=true\ncertfile=cert.pem\n")],
        SERVER,
    ),
    Mistake(
        "a certificate that is none",
        &[
            ("config/config.ini", "[ssl]\nenabled=true\ncertfile=cert.pem\nkeyfile=key.pem\n"),
            ("cert.pem", "hello\n"),
            ("key.pem", "hello\n"),
        ],
        SERVER,
    ),
    Mistake(
        "a user for functions that does not exist",
        &[("config/config.ini", "[Runners]\nWorkerUser=nobodi\n")],
        SERVER,
    ),
    Mistake("a Keypath that is a file", &[("sec", "")], SERVER),
    Mistake("a server key that is none", &[("sec/server.key", "hello\n")], SERVER),
    Mistake(
        "a registry of another database",
        &[("config/config.ini", "[Registry]\nURL=mysql://localhost/msp\n")],
        SERVER,
    ),
    Mistake(
        "a function whose module is not there",
        &[("config/modules.ini", "[Modules]\nhi=hello\n")],
        CHECK,
    ),
    Mistake(
        "a function that does not parse",
        &[
            ("config/modules.ini", "[Modules]\nhi=hello\n"),
            ("modules/hello.py", "def entry_call(:\n    return 1\n"),
        ],
        CHECK,
    ),
    Mistake(
        "a function without entry_call",
        &[
            ("config/modules.ini", "[Modules]\nhi=hello\n"),
            ("modules/hello.py", "def hello():\n    return 1\n"),
        ],
        CHECK,
    ),
    Mistake(
        "an executable that cannot be run",
        &[("config/modules.ini", "[Modules]\nhi=hi\n"), ("modules/hi", "#!/bin/sh\necho hi\n")],
        CHECK,
    ),
    Mistake(
        "a time limit out of range",
        &[("config/modules.ini", "[Modules]\nhi=server_time\n\n[hi]\nTimeout=1 day\n")],
        CHECK,
    ),
    Mistake("a log folder that is a file", &[("log", "")], CHECK),
    Mistake("no key to register", &[], "appendclient"),
    Mistake("a file's name for a key", &[], "appendclient client.pub --name laptop"),
    Mistake(
        "a key cut short",
        &[],
        "msp-admin client add iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg --name laptop",
    ),
    Mistake("a name that no client may have", &[], "msp-admin client add KEY --name my/laptop"),
    Mistake("the wrong folder", &[], "msp-admin client list"),
    Mistake("a check in the wrong folder", &[], "msp-admin doctor --json"),
    Mistake("a question to a server that does not run", &[], "msp-admin bans"),
    Mistake("a request id that is none", &[], "msp-admin why yesterday"),
    Mistake("a backup that is not there", &[], "msp-admin restore msp.backup --yes"),
    Mistake("a backup that is none", &[("msp.backup", "hello\n")], "msp-admin restore msp.backup --yes"),
    Mistake("a key pair that is there already", &[("client.key", "")], "gen_key pair client"),
    Mistake("a kind of key that there is not", &[], "gen_key both client"),
    Mistake(
        "an option that there is not",
        &[],
        "msp-admin import --keypath old --register old/clients.dev --yes",
    ),
    Mistake("a URL without its scheme", &[], "msp-client box.example:8000"),
    Mistake("a call without keys", &[], "msp-client call http://127.0.0.1:1 time_test"),
    Mistake("a call without a URL", &[], "msp-client call time_test"),
    Mistake("a profile that is not there", &[], "msp-client call time_test --profile nas"),
    Mistake("an enrolment line that is none", &[], "msp-client join foo"),
    Mistake("an unknown command", &[], "msp-admin clients"),
];

/// Mistakes that a running server, or a client of one, answers.
const BESIDE_A_SERVER: &[Mistake] = &[
    Mistake("https to a plain port", &[], "client: msp-client call https://127.0.0.1:PORT time_test"),
    Mistake("a port on which nobody listens", &[], "client: msp-client call http://127.0.0.1:1 time_test"),
    Mistake("a host that is not there", &[], "client: msp-client call http://nobody.invalid time_test"),
    Mistake("a function that is not there", &[], "client: msp-client call URL tiem_test"),
    Mistake("a function that is not granted", &[], "client: msp-client call URL secret"),
    Mistake(
        "an argument that the function does not take",
        &[],
        "client: msp-client call URL fails --arg a=1",
    ),
    Mistake("an argument without its name", &[], "client: msp-client call URL time_test --arg hello"),
    Mistake("a word too many", &[], "client: msp-client call hello kim"),
    Mistake("JSON that is none", &[], "client: msp-client call URL time_test --json {a:1}"),
    Mistake("a function that fails", &[], "client: msp-client call URL fails"),
    Mistake("the wrong server key", &[("client/server.pub", "")], "client: msp-client call URL time_test"),
    Mistake(
        "a client key that was never registered",
        &[("client/client.key", "")],
        "client: msp-client call URL time_test",
    ),
    Mistake("a second server in one folder", &[], SERVER),
    Mistake("a port in use", &[], "client: msp-server --port PORT"),
    Mistake("a client registered twice", &[], "appendclient REGISTERED --name other"),
    Mistake("a name that is taken", &[], "msp-admin client add KEY --name laptop"),
    Mistake("a client that is not there", &[], "msp-admin client rotate labtop"),
    Mistake("a deletion that nobody confirms", &[], "msp-admin client purge"),
    Mistake("an address that is not banned", &[], "msp-admin bans lift 192.0.2.7"),
    Mistake("a backup over another", &[("msp.backup", "")], "msp-admin backup msp.backup"),
];

#[test]
fn each_likely_mistake_is_answered_by_one_line_that_says_what_would_be_right() {
    let mut rows = Vec::new();
    for mistake in ALONE {
        let bench = ProgramFolder::new();
        put(&bench, mistake.1);
        rows.push(row(&bench, mistake, &[("KEY", &some_key())]));
    }
    for mistake in BESIDE_A_SERVER {
        let bench = ProgramFolder::new();
        bench.write(
            "config/modules.ini",
            "[Modules]\ntime_test=server_time\nfails=fails\nsecret=server_time\n",
        );
        bench.write("modules/fails.py", "def entry_call():\n    raise ValueError('the disk is full')\n");
        let server = registered(&bench, &["--name", "laptop", "--allow", "time_test", "--allow", "fails"]);
        let known = std::fs::read_to_string(bench.path("client/client.pub")).unwrap();
        put(&bench, mistake.1);
        let port = server.address.port().to_string();
        let url = server.url("");
        let words = [("REGISTERED", known.trim()), ("KEY", &some_key()), ("URL", &url), ("PORT", &port)];
        rows.push(row(&bench, mistake, &words));
        assert!(server.stop().success());
    }
    assert!(rows.len() >= 40);
    let table = format!("| mistake | exit | message |\n|---|---|---|\n{}", rows.join("\n"));
    insta::assert_snapshot!("mistakes", table);
}

/// Makes the files; an empty one that ends in `.key` gets a private key, and one in `.pub` a public key.
fn put(bench: &ProgramFolder, files: &[(&str, &str)]) {
    for (name, text) in files {
        let key = PrivateKey::generate(&mut OsRng);
        let made = match name.rsplit_once('.').filter(|_| text.is_empty()) {
            Some((_, "key")) => key.dangerously_to_base64().to_string(),
            Some((_, "pub")) => key.public().to_string(),
            _ => (*text).to_owned(),
        };
        bench.write(name, &made);
    }
}

fn some_key() -> String {
    PrivateKey::generate(&mut OsRng).public().to_string()
}

fn row(bench: &ProgramFolder, Mistake(what, _, line): &Mistake, words: &[(&str, &str)]) -> String {
    let (folder, line) = line.strip_prefix("client: ").map_or(("", *line), |line| ("client", line));
    let fill = |word: &str| words.iter().fold(word.to_owned(), |word, (from, to)| word.replace(from, to));
    let mut arguments = line.split(' ').map(fill);
    let mut command = bench.command(&arguments.next().unwrap());
    let output = command.args(arguments).current_dir(bench.path(folder)).output().unwrap();
    let code = output.status.code().unwrap();
    assert_ne!(code, 0, "{what}: {output:?}");
    let here = bench.path("").canonicalize().unwrap().display().to_string();
    let message = words
        .iter()
        .fold(message(what, &output).replace(here.trim_end_matches('/'), "/here"), |text, (from, to)| {
            text.replace(to, from)
        });
    format!("| {what}: `{line}` | {code} | {message} |")
}

/// The one line: what was printed, without the log and without the usage that follows a wrong command line.
fn message(what: &str, output: &Output) -> String {
    let printed = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let printed = String::from_utf8(printed).unwrap();
    let lines: Vec<&str> = printed
        .lines()
        .take_while(|line| !line.starts_with("Usage: ") && !line.starts_with("For more information"))
        .filter_map(|line| match line.strip_prefix("[20") {
            // Of the log, only what ended the server.
            Some(logged) => logged.split_once("CRITICAL in main.rs: ").map(|(_, line)| line),
            None => Some(line.trim()).filter(|line| !line.is_empty()),
        })
        .collect();
    let clap_goes_on = |line: &&&str| line.starts_with("tip: ") || line.starts_with('<');
    assert_eq!(lines.len() - lines.iter().filter(clap_goes_on).count(), 1, "{what}: {printed}");
    // The request's id is another each time.
    let line = lines.join(" · ");
    let line = line.split_once(" (request ").map_or(&*line, |(line, _)| line);
    line.replace('|', "\\|")
}
