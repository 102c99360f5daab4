//! A folder of modules, its runners, and what they log.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use msp_core::clock::SystemClock;
use msp_core::{
    Access, Caller, ConfinementPath, ConfinementSpec, Door, FunctionLimits, Grants, Identity, Input,
    ModuleSpec, Namespace, Output, RequestId, RunError, permit, run,
};
use msp_protocol::Digest;
use msp_runners::{IsolationConfig, Runners, RunnersConfig};
use serde_json::Value;
use tempfile::TempDir;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// What a test waits at most for something that takes milliseconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with modules, and what is to be listed of them.
pub(crate) struct Folder {
    folder: TempDir,
    outside: TempDir,
    pub(crate) specs: Vec<ModuleSpec>,
    pub(crate) workers: usize,
    pub(crate) python: PathBuf,
}

impl Folder {
    pub(crate) fn new() -> Self {
        let system = PathBuf::from("/usr/bin/python3");
        let python = if system.is_file() { system } else { "python3".into() };
        let outside = TempDir::new().unwrap();
        fs::create_dir(outside.path().join("marks")).unwrap();
        Self { folder: TempDir::new().unwrap(), outside, specs: Vec::new(), workers: 1, python }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder that functions may write into, for what tests are to see of them.
    pub(crate) fn marks(&self) -> PathBuf {
        self.outside.path().join("marks")
    }

    /// Replaces a file in one step, as careful editors do.
    pub(crate) fn write(&self, name: &str, text: &str) {
        self.write_bytes(name, text.as_bytes());
    }

    pub(crate) fn write_bytes(&self, name: &str, content: &[u8]) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let new = self.path().join("new~");
        fs::write(&new, content).unwrap();
        let mode = if content.starts_with(b"#!") { 0o755 } else { 0o644 };
        fs::set_permissions(&new, fs::Permissions::from_mode(mode)).unwrap();
        fs::rename(new, path).unwrap();
    }

    /// Lists a function with limits of its own.
    pub(crate) fn list(&mut self, function: &str, module: &str, limits: FunctionLimits) {
        self.specs.push(ModuleSpec {
            function: function.parse().unwrap(),
            namespace: Namespace::default(),
            module: module.to_owned(),
            access: Access::Read,
            classic_write: false,
            description: format!("does {function}"),
            limits,
            route: None,
            confinement: ConfinementSpec {
                paths: vec![ConfinementPath { path: self.marks(), writable: true }],
                ..ConfinementSpec::default()
            },
        });
    }

    /// Writes a Python module and lists it under its own name.
    pub(crate) fn python(mut self, module: &str, source: &str) -> Self {
        let source = source.replace("MARKS", self.marks().to_str().unwrap());
        self.write(&format!("{}.py", module.replace('.', "/")), &source);
        self.list(module, module, FunctionLimits::default());
        self
    }

    /// Writes a shell script and lists it under its own name.
    pub(crate) fn script(mut self, module: &str, lines: &str) -> Self {
        let lines = lines.replace("MARKS", self.marks().to_str().unwrap());
        self.write(module, &format!("#!/bin/sh\n{lines}\n"));
        self.list(module, module, FunctionLimits::default());
        self
    }

    /// Writes a WebAssembly module and lists it under its own name.
    pub(crate) fn wasm(mut self, module: &str, binary: &[u8]) -> Self {
        self.write_bytes(&format!("{module}.wasm"), binary);
        self.list(module, module, FunctionLimits::default());
        self
    }

    /// Changes the limits of the function listed last.
    pub(crate) fn with(mut self, change: impl Fn(&mut FunctionLimits)) -> Self {
        change(&mut self.specs.last_mut().unwrap().limits);
        self
    }

    pub(crate) fn workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Starts it, and waits until everything has loaded or failed.
    pub(crate) async fn start(self) -> Running {
        let running = self.start_at_once().await;
        running.runners.loaded().await;
        running
    }

    pub(crate) async fn start_at_once(self) -> Running {
        let log = Log::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        let guard = tracing::subscriber::set_default(subscriber);
        let config = RunnersConfig {
            search_path: vec![self.path().to_owned()],
            python: self.python.clone(),
            python_workers: self.workers,
            isolation: IsolationConfig {
                launcher: launcher(),
                require: None,
                user: None,
                scratch: self.outside.path().join("scratch"),
                private: Vec::new(),
                control_group: Err("a test".to_owned()),
            },
            version: "1.2.3",
        };
        let started = Runners::start(config, self.specs.clone(), None, Arc::new(SystemClock::start())).await;
        let runners = started.unwrap_or_else(|error| panic!("{error}"));
        Running { folder: self, runners, log, _guard: guard }
    }
}

/// The program that processes of functions begin as; built with these tests.
fn launcher() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let path = tests.parent().and_then(Path::parent).unwrap().join("examples/confined");
    assert!(path.exists(), "{} is missing: cargo build -p msp-runners --examples", path.display());
    path
}

/// Runners at work.
pub(crate) struct Running {
    pub(crate) folder: Folder,
    pub(crate) runners: Runners,
    pub(crate) log: Log,
    _guard: DefaultGuard,
}

impl Running {
    /// Calls a function without arguments.
    pub(crate) async fn call(&self, function: &str) -> Result<Value, RunError> {
        self.call_with(function, None).await
    }

    /// Calls a function as a proven caller of the envelope shape.
    pub(crate) fn call_with(
        &self,
        function: &str,
        args: Option<Value>,
    ) -> impl Future<Output = Result<Value, RunError>> + 'static {
        let name = function.parse().unwrap();
        let permit = permit(&caller(), &self.runners.catalogue(), &name).unwrap();
        async {
            match run(permit, Input::args(args)).await? {
                Output::Value(value) => Ok(value),
                Output::Response(response) => panic!("{response:?}"),
            }
        }
    }

    /// The names in the catalogue, built-in ones apart.
    pub(crate) fn names(&self) -> Vec<String> {
        let catalogue = self.runners.catalogue();
        catalogue.iter().map(|f| f.name.to_string()).filter(|name| !name.starts_with("msp/")).collect()
    }

    /// Waits until a line that holds the text has been logged.
    pub(crate) async fn logged(&self, text: &str) -> String {
        until(text, async || self.log.find(text)).await
    }
}

/// Asks again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("waited in vain for: {what}"))
}

/// True when a process of this id exists and is no zombie.
pub(crate) fn lives(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

pub(crate) fn caller() -> Arc<Caller> {
    Arc::new(Caller {
        identity: Identity::Client { key: Digest::of(b"a key"), name: None },
        grants: Grants::Standard,
        ceiling: Access::Write,
        door: Door::named("a door"),
        address: std::net::IpAddr::from([127, 0, 0, 1]),
        request: RequestId(1),
    })
}

/// Everything that was logged, as `LEVEL target: message`.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn find(&self, text: &str) -> Option<String> {
        self.lines().into_iter().find(|line| line.contains(text))
    }

    pub(crate) fn count(&self, text: &str) -> usize {
        self.lines().iter().filter(|line| line.contains(text)).count()
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let metadata = event.metadata();
        let line = format!("{} {}: {}", metadata.level(), metadata.target(), message.0);
        self.0.lock().unwrap().push(line);
    }
}
