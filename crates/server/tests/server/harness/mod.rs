//! A server in its own folder, with a clock that the test moves.

mod caller;
pub(crate) mod program;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use msp_core::Grants;
use msp_core::NewClient;
use msp_core::clock::ManualClock;
use msp_protocol::{OsRng, PrivateKey, PublicKey, Secret};
use msp_registry::SqlRegistry;
use msp_server::{Server, ServerHandle};
use msp_settings::{Settings, Sources};
use tempfile::TempDir;
use tokio::task::JoinHandle;

pub(crate) use caller::{Answered, Caller};

/// The moment at which most tests and all vectors stand.
pub(crate) const NOW: u64 = 1_711_804_853;

/// What a test wants of its server.
pub(crate) struct Wanted {
    folder: TempDir,
    clock: Arc<ManualClock>,
}

impl Wanted {
    /// A server at [`NOW`] with the functions `time_test`, `echo` and `server_time`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["modules", "config"] {
            std::fs::create_dir(folder.path().join(sub)).unwrap();
        }
        let wanted = Self { folder, clock: Arc::new(ManualClock::at(NOW)) };
        wanted.config("").modules("time_test=simple_time\necho=echo\nserver_time=server_time\n")
    }

    pub(crate) fn at(self, unix: u64) -> Self {
        self.clock.set_unix(unix);
        self
    }

    /// Writes config.ini.
    pub(crate) fn config(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("config/config.ini"), text).unwrap();
        self
    }

    /// Writes modules.ini: the lines of `[Modules]`, then sections.
    pub(crate) fn modules(self, text: &str) -> Self {
        std::fs::write(self.folder.path().join("config/modules.ini"), format!("[Modules]\n{text}")).unwrap();
        self
    }

    /// Writes a file into the folder of modules.
    pub(crate) fn module(self, name: &str, text: &str) -> Self {
        std::fs::write(self.folder.path().join("modules").join(name), text).unwrap();
        self
    }

    /// Writes the server's key.
    pub(crate) fn key(self, key: &PrivateKey) -> Self {
        std::fs::create_dir_all(self.folder.path().join("sec")).unwrap();
        msp_keyfile::create_server_keys(&self.folder.path().join("sec"), key).unwrap();
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn sources(&self) -> Sources {
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
    pub(crate) async fn registry(&self) -> SqlRegistry {
        let url = Settings::load(&self.sources()).unwrap().registry.url;
        msp_keyfile::create_private_folder(&self.folder.path().join("sec")).unwrap();
        SqlRegistry::open(&url, self.clock.clone()).await.unwrap()
    }

    /// Starts it, and waits until its functions have loaded.
    pub(crate) async fn start(self) -> TestServer {
        let server = self.build().await;
        server.loaded().await;
        self.serve(server).await
    }

    /// Starts it, and waits for nothing.
    pub(crate) async fn start_at_once(self) -> TestServer {
        let server = self.build().await;
        self.serve(server).await
    }

    async fn build(&self) -> Server {
        let sources = self.sources();
        let settings = Settings::load(&sources).unwrap_or_else(|error| panic!("{error}"));
        let metrics = msp_server::telemetry::metrics();
        let launcher = Path::new(env!("CARGO_BIN_EXE_msp-server"));
        let server = Server::build(settings, sources, self.clock.clone(), metrics, launcher).await;
        server.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn serve(self, server: Server) -> TestServer {
        let url = Settings::load(&self.sources()).unwrap().registry.url;
        let registry = SqlRegistry::open(&url, self.clock.clone()).await.unwrap();
        let key = msp_keyfile::read_private_key(&self.folder.path().join("sec/server.key")).unwrap();
        TestServer {
            address: server.address(),
            ops: server.ops_address(),
            handle: server.handle(),
            key,
            registry,
            running: tokio::spawn(async move { server.run().await.unwrap() }),
            wanted: self,
        }
    }
}

/// A running server.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) ops: Option<SocketAddr>,
    pub(crate) key: PrivateKey,
    pub(crate) registry: SqlRegistry,
    handle: ServerHandle,
    running: JoinHandle<()>,
    wanted: Wanted,
}

impl TestServer {
    pub(crate) fn clock(&self) -> &ManualClock {
        &self.wanted.clock
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.wanted.path().join(name)
    }

    /// Stops it gracefully.
    pub(crate) async fn stop(self) -> Wanted {
        self.handle.stop();
        self.running.await.unwrap();
        self.wanted
    }

    /// Stops it gracefully and starts it again in the same folder.
    pub(crate) async fn restart(self) -> Self {
        self.stop().await.start().await
    }

    /// Registers a client and waits until the server knows it.
    pub(crate) async fn add(&self, name: Option<&str>, change: impl FnOnce(&mut NewClient)) -> Caller {
        let caller = self.register(name, change).await;
        self.up_to_date().await;
        caller
    }

    /// Registers a client behind the server's back.
    pub(crate) async fn register(&self, name: Option<&str>, change: impl FnOnce(&mut NewClient)) -> Caller {
        let key = PrivateKey::generate(&mut OsRng);
        let secret = Secret::generate(&mut OsRng);
        let mut new = new_client(&key, &secret, name);
        change(&mut new);
        self.registry.add_client(&new, "test").await.unwrap();
        Caller::new(self, key, secret)
    }

    /// An unlinked client, as `appendclient KEY` makes it.
    pub(crate) async fn unlinked(&self) -> Caller {
        self.add(None, |_| ()).await
    }

    /// A linked client with the grants that everyone has.
    pub(crate) async fn linked(&self, name: &str) -> Caller {
        self.add(Some(name), |_| ()).await
    }

    /// Has the server take up what the registry holds, as msp-admin does after a change.
    pub(crate) async fn up_to_date(&self) {
        assert_eq!(self.ask(msp_core::control::Request::Follow).await, msp_core::control::Reply::Done);
    }

    /// Asks the control door.
    pub(crate) async fn ask(&self, request: msp_core::control::Request) -> msp_core::control::Reply {
        use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
        let mut stream = tokio::net::UnixStream::connect(self.path("sec/control.sock")).await.unwrap();
        let line = serde_json::to_string(&request).unwrap() + "\n";
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tokio::io::BufReader::new(stream).read_line(&mut answer).await.unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// The true reason of the newest refusal.
    pub(crate) async fn why(&self) -> String {
        match self.ask(msp_core::control::Request::Why { id: None, address: None, last: 1 }).await {
            msp_core::control::Reply::Refusals { refusals } => refusals
                .first()
                .map_or_else(|| "nothing refused".to_owned(), |refusal| refusal.reason.clone()),
            other => panic!("{other:?}"),
        }
    }

    /// Sends a body to `/v1` as JSON.
    pub(crate) async fn post(&self, body: impl Into<reqwest::Body>) -> Answered {
        self.send(self.http().post(self.url("/v1")).header("Content-Type", "application/json").body(body))
            .await
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answered {
        Answered::of(request.send().await.unwrap()).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn http(&self) -> reqwest::Client {
        http()
    }

    pub(crate) fn public(&self) -> &PublicKey {
        self.key.public()
    }
}

/// A client as `appendclient` would register it.
pub(crate) fn new_client(key: &PrivateKey, secret: &Secret, name: Option<&str>) -> NewClient {
    NewClient {
        key: *key.public(),
        secret: secret.digest(),
        name: name.map(|name| name.parse().unwrap()),
        grants: Grants::Standard,
        expires: None,
        classic: name.is_none(),
        revive: false,
    }
}

/// A client for raw requests.
pub(crate) fn http() -> reqwest::Client {
    http_from(None)
}

/// A client for raw requests that come from this address.
pub(crate) fn http_from(address: Option<IpAddr>) -> reqwest::Client {
    let _set_already = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy();
    http.local_address(address).build().unwrap()
}

/// Waits for an event, at most 10 seconds.
pub(crate) async fn until(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !happened().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
