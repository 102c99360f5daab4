//! A real server of some user's, with functions that attack it.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use msp_core::clock::{Clock as _, SystemClock};
use msp_core::{ClientStore as _, Registry as _};
use msp_protocol::{OsRng, PrivateKey, Secret};
use msp_registry::SqlRegistry;
use serde_json::{Value, json};

use msp_testkit::{Answered, Caller, Program, ProgramFolder, http, new_client};

/// The user that tests start a server as when they are root themselves.
pub(super) const NOBODY: u32 = 65_534;

/// The attacker's source: a Python module, and an executable.
const ATTEMPTS: &str = include_str!("../../python/attempts/attempts.py");
/// What it imports.
const PARTS: [(&str, &str); 4] = [
    ("modules/attempted.py", include_str!("../../python/attempts/attempted.py")),
    ("modules/on_files.py", include_str!("../../python/attempts/on_files.py")),
    ("modules/on_processes.py", include_str!("../../python/attempts/on_processes.py")),
    ("modules/on_the_kernel.py", include_str!("../../python/attempts/on_the_kernel.py")),
];

/// True when these tests can start processes of other users.
pub(super) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What is to be started.
pub(super) struct Plan {
    pub(super) bench: ProgramFolder,
    user: Option<u32>,
    caller: Option<(PrivateKey, Secret)>,
    config: String,
    modules: String,
}

impl Plan {
    /// A server of the tests' own user.
    pub(super) fn new() -> Self {
        let bench = ProgramFolder::new();
        let python = if Path::new("/usr/bin/python3").is_file() { "/usr/bin/python3" } else { "python3" };
        bench.write("modules/attempts.py", ATTEMPTS);
        PARTS.iter().for_each(|(name, text)| bench.write(name, text));
        bench.program("modules/attempt", &format!("#!{python}\n{ATTEMPTS}"));
        bench.write("modules/whose.py", "import os\n\ndef entry_call():\n    return os.getpid()\n");
        Self {
            bench,
            user: None,
            caller: None,
            config: format!("[Ops]\nport=0\n[Runners]\nPythonWorkers=1\nPython={python}\n"),
            modules: "[Modules]\nattempts=attempts\nattempt=attempt\nwhose=whose\n[whose]\nNetwork=no\n"
                .to_owned(),
        }
    }

    /// A server of another user's.
    pub(super) fn of_user(mut self, user: u32) -> Self {
        self.user = Some(user);
        self
    }

    /// Adds lines to `[Runners]`.
    pub(super) fn runners(mut self, lines: &str) -> Self {
        self.config += lines;
        self
    }

    /// Adds a Python function with lines of its own section.
    pub(super) fn python(mut self, name: &str, source: &str, section: &str) -> Self {
        self.bench.write(&format!("modules/{name}.py"), source);
        self.list(name, section);
        self
    }

    /// Adds an executable with lines of its own section.
    pub(super) fn program(mut self, name: &str, text: &str, section: &str) -> Self {
        self.bench.program(&format!("modules/{name}"), text);
        self.list(name, section);
        self
    }

    fn list(&mut self, name: &str, section: &str) {
        self.modules = self.modules.replace("[Modules]\n", &format!("[Modules]\n{name}={name}\n"));
        self.modules += &format!("[{name}]\n{section}\n");
    }

    /// Writes everything: keys, one client, configuration. All of it is the user's.
    pub(super) async fn prepare(mut self) -> Self {
        let (key, secret) = (PrivateKey::generate(&mut OsRng), Secret::generate(&mut OsRng));
        let folder = self.bench.path("sec");
        msp_keyfile::create_private_folder(&folder).unwrap();
        msp_keyfile::create_server_keys(&folder, &PrivateKey::generate(&mut OsRng)).unwrap();
        let url = format!("sqlite:{}", folder.join("registry.db").display());
        let registry = SqlRegistry::open(&url, Arc::new(SystemClock::start())).await.unwrap();
        registry.add_client(&new_client(&key, &secret, Some("laptop")), "test").await.unwrap();
        registry.close().await; // else its files vanish while they are given away
        self.bench.write("config/config.ini", &self.config);
        self.bench.write("config/modules.ini", &self.modules);
        if let Some(user) = self.user {
            give(&self.bench.path(""), user);
        }
        self.caller = Some((key, secret));
        self
    }

    /// The command that starts the server; another user gets a copy of it that it can reach.
    pub(super) fn command(&self) -> Command {
        let mut command = self.bench.command("msp-server");
        if let Some(user) = self.user {
            let copy = self.bench.path("msp-server");
            if !copy.exists() {
                std::fs::copy(command.get_program(), &copy).unwrap();
            }
            let mut own = Command::new(&copy);
            own.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?)))).env_clear();
            own.current_dir(self.bench.path("")).uid(user).gid(user);
            for name in ["TZ", "LD_LIBRARY_PATH"] {
                own.envs(std::env::var_os(name).map(|value| (name, value)));
            }
            command = own;
            command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        }
        command.env("MSP_TEST_SECRET", "of the server").args(["--port", "0"]);
        command.stdin(std::process::Stdio::null());
        command
    }

    /// The same on a kernel without Landlock.
    pub(super) fn command_without_landlock(&self) -> Command {
        let inner = self.command();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/without_landlock.py");
        let mut command = self.bench.command("python3");
        command.arg(script).arg(inner.get_program()).args(inner.get_args());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    pub(super) async fn start(self) -> RunningServer {
        let plan = self.prepare().await;
        let mut command = plan.command();
        command.stderr(std::process::Stdio::piped());
        plan.serve(command)
    }

    /// Starts the prepared server by this command.
    pub(super) fn serve(mut self, command: Command) -> RunningServer {
        let server = Program::start(command);
        let (key, secret) = self.caller.take().unwrap();
        let public = msp_keyfile::read_public_key(&self.bench.path("sec/server.pub")).unwrap();
        let caller = Caller { key, secret, server: public, address: server.address };
        RunningServer { bench: self.bench, server, caller }
    }
}

/// Gives a folder with all in it to a user.
fn give(path: &Path, user: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        path.read_dir().unwrap().for_each(|entry| give(&entry.unwrap().path(), user));
    }
}

/// The running server.
pub(super) struct RunningServer {
    pub(super) bench: ProgramFolder,
    pub(super) server: Program,
    caller: Caller,
}

impl RunningServer {
    /// Calls a function: its value, or the code of its failure.
    pub(super) async fn call(&self, function: &str, args: Value) -> Result<Value, String> {
        let (rid, body) = self.caller.envelope(SystemClock::start().unix(), function, Some(&args));
        let request =
            http().post(self.server.url("/v1")).header("Content-Type", "application/json").body(body);
        let answered = Answered::of(request.send().await.unwrap()).await;
        self.caller.open(&rid, &answered).outcome.map_err(|failure| failure.code.to_string())
    }

    /// What an attacker knows.
    pub(super) async fn facts(&self, what: &str) -> Value {
        let path = |name: &str| self.bench.path(name).canonicalize().unwrap();
        let other = self.call("whose", json!({})).await.unwrap();
        json!({
            "what": what,
            "server": self.server.id(),
            "other": other,
            "folder": path(""),
            "key": path("sec/server.key"),
            "registry": path("sec/registry.db"),
            "control": path("sec/control.sock"),
            "config": path("config/config.ini"),
            "list": path("config/modules.ini"),
            "log": path("log/latest.log"),
            "module": path("modules/attempts.py"),
            "sealed": self.server.url("/v1"),
            "ops": format!("http://{}/readyz", self.ops()),
        })
    }

    /// Where the ops door is.
    pub(super) fn ops(&self) -> String {
        let log = self.server.log.lock().unwrap();
        log.split_once("ops door on ").unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    /// Whether the log has said this.
    pub(super) fn logged(&self, text: &str) -> bool {
        self.server.log.lock().unwrap().contains(text)
    }

    /// The folder of the functions' temporary folders.
    pub(super) fn scratch(&self) -> PathBuf {
        scratch_of(&self.bench)
    }
}

/// The folder for temporary files of a server that has its keys in `sec`.
pub(super) fn scratch_of(bench: &ProgramFolder) -> PathBuf {
    let running = bench.path("sec").canonicalize().unwrap();
    let digest = msp_protocol::Digest::of(running.as_os_str().as_encoded_bytes()).to_string();
    std::env::temp_dir().join(format!("msp-{}", &digest[..16]))
}
