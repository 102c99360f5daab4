//! A folder of its own, in which the real programs run as an operator runs them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use msp_core::control::{Reply, Request, SOCKET};
use msp_protocol::{OsRng, PrivateKey, PublicKey};
use serde_json::Value;
use tempfile::TempDir;

/// A working folder.
pub(crate) struct WorkingFolder(TempDir);

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl WorkingFolder {
    /// An empty folder, as before the first start of a server.
    pub(crate) fn empty() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A folder with the server's keys, as after the first start.
    pub(crate) fn new() -> Self {
        let folder = Self::empty();
        msp_keyfile::create_server_keys(&folder.path("sec"), &PrivateKey::generate(&mut OsRng)).unwrap();
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn server_key(&self) -> PublicKey {
        msp_keyfile::read_public_key(&self.path("sec/server.pub")).unwrap()
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        self.path(name).metadata().unwrap().permissions().mode() & 0o777
    }

    /// A program with its arguments, to be started in this folder.
    pub(crate) fn command(&self, line: &str) -> Command {
        let mut words = line.split(' ');
        let program = match words.next().unwrap() {
            "msp-admin" => env!("CARGO_BIN_EXE_msp-admin"),
            "gen_key" => env!("CARGO_BIN_EXE_gen_key"),
            "appendclient" => env!("CARGO_BIN_EXE_appendclient"),
            "purgeclients" => env!("CARGO_BIN_EXE_purgeclients"),
            other => panic!("no program {other}"),
        };
        let mut command = Command::new(program);
        command.args(words.filter(|word| !word.is_empty()));
        command.current_dir(self.0.path()).env_clear().env("TZ", "UTC").env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Starts a program that reads this.
    pub(crate) fn spawn(&self, line: &str, stdin: &str) -> Child {
        let mut child = self.command(line).spawn().unwrap();
        // A program that asks nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        child
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, line: &str) -> Outcome {
        self.answer(line, "")
    }

    /// Runs a program that reads this.
    pub(crate) fn answer(&self, line: &str, stdin: &str) -> Outcome {
        Outcome::of(self.spawn(line, stdin))
    }

    /// Runs a program that must succeed, and reads its JSON.
    pub(crate) fn json(&self, line: &str) -> Value {
        let outcome = self.run(&format!("{line} --json"));
        assert_eq!(outcome.code, 0, "{line}: {outcome:?}");
        serde_json::from_str(&outcome.stdout).unwrap()
    }

    /// Adds a client and gives its private key, its secret, and how the program ended.
    pub(crate) fn add(&self, options: &str) -> (PrivateKey, String, Outcome) {
        let key = PrivateKey::generate(&mut OsRng);
        let outcome = self.run(&format!("appendclient {} {options}", key.public()));
        assert_eq!(outcome.code, 0, "{outcome:?}");
        (key, outcome.secret(), outcome)
    }

    /// Stands in for a server: answers one question on the control socket, and gives it back.
    pub(crate) fn server(&self, reply: Reply) -> JoinHandle<Request> {
        std::fs::create_dir_all(self.path("sec")).unwrap();
        let socket = self.path("sec").join(SOCKET);
        let listener = UnixListener::bind(&socket).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            std::fs::remove_file(socket).unwrap();
            writeln!(stream, "{}", serde_json::to_string(&reply).unwrap()).unwrap();
            serde_json::from_str(&line).unwrap()
        })
    }

    /// Replaces what differs from run to run, so that the text can be compared.
    pub(crate) fn stable(&self, text: &str) -> String {
        let folder: &Path = self.0.path();
        text.replace(&folder.canonicalize().unwrap().display().to_string(), "/here")
    }
}

impl Outcome {
    pub(crate) fn of(child: Child) -> Self {
        let output = child.wait_with_output().unwrap();
        Self {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The 128 digits behind `Client Hex Secret: `.
    pub(crate) fn secret(&self) -> String {
        let (_, rest) = self.stderr.split_once("Client Hex Secret: ").expect("a secret on standard error");
        rest.lines().next().unwrap().to_owned()
    }

    /// The enrolment line on standard error.
    pub(crate) fn enrolment(&self) -> &str {
        self.stderr.lines().find(|line| line.starts_with("msp1:")).expect("an enrolment line")
    }
}
