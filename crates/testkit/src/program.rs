//! The real programs, as an operator starts them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};

use msp_core::Registry;
use msp_core::clock::SystemClock;
use msp_protocol::{OsRng, PrivateKey, Secret};
use msp_registry::SqlRegistry;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::caller::{Answered, Caller, new_client};
use crate::machine::{http, program_path, until};

/// A folder in which programs run.
#[derive(Debug)]
pub struct ProgramFolder {
    folder: TempDir,
}

impl ProgramFolder {
    /// A new one below the temporary folder.
    #[expect(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    /// In a folder of its own below this one.
    pub fn within(folder: &Path) -> Self {
        Self { folder: TempDir::new_in(folder).unwrap() }
    }

    /// The path of what has this name in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, whole at once as a careful editor does; a key or secret is private.
    pub fn write(&self, name: &str, text: &str) {
        self.place(name, text, 0o644).unwrap();
    }

    /// Removes a folder, whatever the server writes into it meanwhile.
    pub fn remove(&self, name: &str) {
        let written_meanwhile =
            |refused: &std::io::Error| refused.kind() == std::io::ErrorKind::DirectoryNotEmpty;
        while std::fs::remove_dir_all(self.path(name)).is_err_and(|refused| written_meanwhile(&refused)) {}
    }

    /// Writes a file unless a folder stands there.
    pub fn place(&self, name: &str, text: &str, mode: u32) -> std::io::Result<()> {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap())?;
        let private = name.ends_with(".secret") || name.ends_with(".key");
        let mut file = tempfile::NamedTempFile::new_in(self.folder.path())?;
        file.write_all(text.as_bytes())?;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(if private {
            0o600
        } else {
            mode
        }))?;
        // The descriptor is closed first: a program that is open for writing cannot be run.
        file.into_temp_path().persist(path).map_err(|refused| refused.error)
    }

    /// Writes a file that can be run.
    pub fn program(&self, name: &str, text: &str) {
        self.place(name, text, 0o755).unwrap();
    }

    /// A program of ours, `python3` or `sh`, in this folder with a clean environment.
    pub fn command(&self, program: &str) -> Command {
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
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        self.command(program).args(arguments).output().unwrap()
    }

    /// Starts msp-server on a free port and waits until it serves.
    pub fn serve(&self) -> Program {
        self.serve_with(|_| ())
    }

    /// Likewise, with the command changed before it is started.
    pub fn serve_with(&self, change: impl FnOnce(&mut Command)) -> Program {
        let mut command = self.command("msp-server");
        command.args(["--port", "0"]).stderr(Stdio::piped());
        change(&mut command);
        Program::start(command)
    }

    /// The registry, as another process sees it.
    pub async fn registry(&self) -> Arc<dyn Registry> {
        let url = format!("sqlite:{}", self.path("sec/registry.db").display());
        Arc::new(SqlRegistry::open(&url, Arc::new(SystemClock::start())).await.unwrap())
    }

    /// Registers a linked client behind the server's back, and waits until it is served.
    pub async fn client(&self, server: &Program, name: &str) -> Caller {
        let (key, secret) = (PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng));
        let mut new = new_client(&key, &secret, Some(name));
        new.classic = true;
        self.registry().await.add_client(&new, "test").await.unwrap();
        let public = msp_keyfile::read_public_key(&self.path("sec/server.pub")).unwrap();
        let caller = Caller { key, secret, server: public, address: server.address };
        until("the server knows the client", async || {
            server.post(caller.fresh("time_test")).await.status == 200
        })
        .await;
        caller
    }
}

/// What a program printed, or the reason it gave for failing.
pub fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A running msp-server, which is killed when this is dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// All that it has written on standard error.
    pub log: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it by this command, and waits until it serves and its functions have loaded.
    pub fn start(mut command: Command) -> Self {
        Self::of(command.spawn().unwrap())
    }

    /// Likewise, of one that is starting.
    pub fn of(mut child: Child) -> Self {
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let (mut address, mut loaded) = (None, false);
        while !loaded {
            let mut line = String::new();
            if lines.read_line(&mut line).unwrap() == 0 {
                panic!("the server did not start:\n{}", log.lock().unwrap());
            }
            address = address.or_else(|| {
                let (_, rest) = line.split_once("serving on ")?;
                Some(rest.split_whitespace().next().unwrap().parse().unwrap())
            });
            loaded = line.contains("functions have loaded: ");
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

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a body to `/v1` as JSON.
    pub async fn post(&self, body: String) -> Answered {
        let request = http().post(self.url("/v1")).header("Content-Type", "application/json").body(body);
        Answered::of(request.send().await.unwrap()).await
    }

    /// Asks the ops door whether it is ready.
    pub async fn ready(&self) -> Answered {
        let mut ops = None;
        until("the ops door is named", async || {
            let log = self.log.lock().unwrap();
            ops = log.split_once("ops door on ").and_then(|(_, rest)| Some(rest.lines().next()?.to_owned()));
            ops.is_some()
        })
        .await;
        Answered::of(http().get(format!("http://{}/readyz", ops.unwrap())).send().await.unwrap()).await
    }

    /// What it holds of the memory, in KiB.
    pub fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// SIGTERM, and the end.
    pub fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// SIGKILL, and the end.
    pub fn kill(self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log.lock().unwrap();
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            eprintln!("the server said at last, the newest first:\n{}", last.join("\n"));
        }
        let _ended_already = self.child.kill();
        let _ended_already = self.child.wait();
    }
}
