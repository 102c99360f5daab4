//! The real server inside the test, in a folder of its own, on ports of its own, with a clock that the test moves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use msp_core::NewClient;
use msp_core::Registry;
use msp_core::clock::ManualClock;
use msp_protocol::{OsRng, PrivateKey, PublicKey, Secret};
use msp_registry::SqlRegistry;
use msp_server::{Configuration, Server, ServerHandle};
use msp_settings::{Settings, Sources};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::caller::{Answered, Caller, new_client};
use crate::machine::{http, program_path};

/// The moment at which most tests and all vectors stand.
pub const NOW: u64 = 1_711_804_853;

/// What a server starts with.
#[derive(Debug)]
pub struct ServerBuilder {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl ServerBuilder {
    /// A server at [`NOW`] with the functions `time_test`, `echo` and `server_time`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["modules", "config"] {
            std::fs::create_dir(folder.path().join(sub)).unwrap();
        }
        let builder = Self { folder, clock: Arc::new(ManualClock::at(NOW)) };
        builder.with_config("").with_modules("time_test=simple_time\necho=echo\nserver_time=server_time\n")
    }

    /// Sets the clock to this Unix second.
    pub fn at(self, unix: u64) -> Self {
        self.clock.set_unix(unix);
        self
    }

    /// Writes config.ini.
    pub fn with_config(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("config/config.ini"), text).unwrap();
        self
    }

    /// Writes modules.ini: the lines of `[Modules]`, then sections.
    pub fn with_modules(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("config/modules.ini"), format!("[Modules]\n{text}")).unwrap();
        self
    }

    /// Writes a file into the folder of modules.
    pub fn with_module(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join("modules").join(name), text).unwrap();
        self
    }

    /// Writes the server's key.
    pub fn with_key(self, key: &PrivateKey) -> Self {
        std::fs::create_dir_all(self.folder.path().join("sec")).unwrap();
        msp_keyfile::create_server_keys(&self.folder.path().join("sec"), key).unwrap();
        self
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where its settings come from.
    pub fn sources(&self) -> Sources {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let environment = [
            ("MSP__SERVER__KEYPATH", at("sec")),
            ("MSP__CLIENTS__KEYPATH", at("sec")),
            ("MSP__CLIENTS__REGISTER", at("sec/clients.dev")),
            ("MSP__NETWORK__PORT", "0".to_owned()),
            ("MSP__OPS__PORT", "0".to_owned()),
            ("MSP_LOGFILE_PATH", at("log")),
            ("PYTHONPATH", at("modules")),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        Sources {
            config: Some(self.folder.path().join("config/config.ini")),
            modules: Some(self.folder.path().join("config/modules.ini")),
            environment,
            ..Sources::default()
        }
    }

    /// Its registry, before it starts.
    pub async fn registry(&self) -> Arc<dyn Registry> {
        let url = Settings::load(&self.sources()).unwrap().registry.url;
        msp_keyfile::create_private_folder(&self.folder.path().join("sec")).unwrap();
        Arc::new(SqlRegistry::open(&url, self.clock.clone()).await.unwrap())
    }

    /// Starts it, and waits until its functions have loaded.
    pub async fn start(self) -> TestServer {
        let server = self.build().await;
        server.loaded().await;
        self.serve(server).await
    }

    /// Starts it, and waits for nothing.
    pub async fn start_at_once(self) -> TestServer {
        let server = self.build().await;
        self.serve(server).await
    }

    async fn build(&self) -> Server {
        let sources = self.sources();
        let configuration = Configuration::load(&sources).unwrap_or_else(|error| panic!("{error}"));
        let metrics = msp_server::telemetry::metrics();
        let launcher = program_path("msp-server");
        let server = Server::build(configuration, sources, self.clock.clone(), metrics, &launcher).await;
        server.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn serve(self, server: Server) -> TestServer {
        let url = Settings::load(&self.sources()).unwrap().registry.url;
        let registry = Arc::new(SqlRegistry::open(&url, self.clock.clone()).await.unwrap());
        let key = msp_keyfile::read_private_key(&self.folder.path().join("sec/server.key")).unwrap();
        TestServer {
            address: server.address(),
            ops: server.ops_address(),
            handle: server.handle(),
            key,
            registry,
            running: tokio::spawn(async move { server.run().await.unwrap() }),
            builder: self,
        }
    }
}

/// A running server. It goes on until it is stopped, or until its runtime, the test's, ends.
pub struct TestServer {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its ops door listens, when that is on.
    pub ops: Option<SocketAddr>,
    /// Its private key.
    pub key: PrivateKey,
    /// Its registry, opened as another process would.
    pub registry: Arc<dyn Registry>,
    handle: ServerHandle,
    running: JoinHandle<()>,
    builder: ServerBuilder,
}

impl TestServer {
    /// What a server starts with: the functions `time_test`, `echo` and `server_time`, at the second [`NOW`].
    pub fn builder() -> ServerBuilder {
        ServerBuilder::new()
    }

    /// Its clock, to be moved.
    pub fn clock(&self) -> &ManualClock {
        &self.builder.clock
    }

    /// The path of what has this name in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.builder.path().join(name)
    }

    /// Stops it gracefully.
    pub async fn stop(self) -> ServerBuilder {
        self.handle.stop();
        self.running.await.unwrap();
        self.builder
    }

    /// Stops it gracefully and starts it again in the same folder.
    pub async fn restart(self) -> Self {
        self.stop().await.start().await
    }

    /// Registers a client and waits until the server knows it.
    pub async fn add(&self, name: Option<&str>, change: impl FnOnce(&mut NewClient)) -> Caller {
        let caller = self.register(name, change).await;
        self.up_to_date().await;
        caller
    }

    /// Registers a client behind the server's back.
    pub async fn register(&self, name: Option<&str>, change: impl FnOnce(&mut NewClient)) -> Caller {
        let key = PrivateKey::generate(&mut OsRng);
        let secret = Secret::generate(&mut OsRng);
        let mut new = new_client(&key, &secret, name);
        change(&mut new);
        self.registry.add_client(&new, "test").await.unwrap();
        Caller { key, secret, server: *self.public(), address: self.address }
    }

    /// An unlinked client, as `appendclient KEY` makes it.
    pub async fn unlinked(&self) -> Caller {
        self.add(None, |_| ()).await
    }

    /// A linked client with the grants that everyone has.
    pub async fn linked(&self, name: &str) -> Caller {
        self.add(Some(name), |_| ()).await
    }

    /// Has the server take up what the registry holds, as msp-admin does after a change.
    pub async fn up_to_date(&self) {
        assert_eq!(self.ask(msp_core::control::Request::Follow).await, msp_core::control::Reply::Done);
    }

    /// Asks the control door.
    pub async fn ask(&self, request: msp_core::control::Request) -> msp_core::control::Reply {
        use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::UnixStream::connect(self.path("sec/control.sock")).await.unwrap();
        let line = serde_json::to_string(&request).unwrap() + "\n";
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::io::BufReader::new(stream).read_line(&mut answer).await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// The true reason of the newest refusal.
    pub async fn why(&self) -> String {
        match self.ask(msp_core::control::Request::Why { id: None, address: None, last: 1 }).await {
            msp_core::control::Reply::Refusals { refusals } => refusals
                .first()
                .map_or_else(|| "nothing refused".to_owned(), |refusal| refusal.reason.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// Sends a body to `/v1` as JSON.
    pub async fn post(&self, body: impl Into<reqwest::Body>) -> Answered {
        self.send(self.http().post(self.url("/v1")).header("Content-Type", "application/json").body(body))
            .await
    }

    /// Sends a request, and reads the answer to its end.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Answered {
        Answered::of(request.send().await.unwrap()).await
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A client for raw requests.
    pub fn http(&self) -> reqwest::Client {
        http()
    }

    /// Its public key.
    pub fn public(&self) -> &PublicKey {
        self.key.public()
    }
}
