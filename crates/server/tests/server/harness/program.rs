//! The real programs, as an operator starts them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A folder in which programs run.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A program of ours, or `python3`, in this folder with a clean environment.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program_path(program));
        command.current_dir(self.folder.path()).env_clear().stdin(Stdio::null());
        for name in ["PATH", "TZ", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.env("HOME", self.folder.path()).env("MSP__OPS__PORT", "0");
        command
    }

    /// Runs a program to its end.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// Starts msp-server on a free port and waits until it serves.
    pub(crate) fn serve(&self) -> Program {
        self.serve_with(|_| ())
    }

    pub(crate) fn serve_with(&self, change: impl FnOnce(&mut Command)) -> Program {
        let mut command = self.command("msp-server");
        command.args(["--port", "0"]).stderr(Stdio::piped());
        change(&mut command);
        Program::start(command)
    }
}

/// Where a program is: ours beside the server's binary, which the whole workspace is built into.
fn program_path(program: &str) -> PathBuf {
    if program == "python3" {
        return std::env::var_os("MSP_TEST_PYTHON").map_or_else(|| "python3".into(), Into::into);
    }
    let path = Path::new(env!("CARGO_BIN_EXE_msp-server")).with_file_name(program);
    assert!(path.exists(), "{} is missing: build the whole workspace first", path.display());
    path
}

/// What a program printed, or the reason it gave for failing.
pub(crate) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A running msp-server.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
    /// All that it has written on standard error.
    pub(crate) log: Arc<Mutex<String>>,
}

impl Program {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap() == 0 {
                panic!("the server did not start:\n{}", log.lock().unwrap());
            }
            address = line
                .split_once("serving on ")
                .map(|(_, rest)| rest.split_whitespace().next().unwrap().parse().unwrap());
            log.lock().unwrap().push_str(&line);
        }
        let sink = log.clone();
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(length @ 1..) = lines.read(&mut chunk) {
                sink.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..length]));
            }
        });
        Self { child, address: address.unwrap(), log }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// SIGTERM, and the end.
    pub(crate) fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// SIGKILL, and the end.
    pub(crate) fn kill(self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}
