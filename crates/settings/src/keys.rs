//! The table of the core's keys, in the order in which people read them. Each door has one of its own.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use msp_core::{Access, ConfinementPath, Route};

use crate::key::Counts::{AtReload, AtStart};
use crate::key::Key;
use crate::keys;
use crate::kinds::{
    Address, Choice, ConfinementPaths, FILE, FOLDER, Folders, Hosts, Number, Optional, PathTo, PrivateFile,
    PublicUrl, Seconds, Share, Size, Store, Switch, Text,
};

/// More hops than any chain of proxies has.
const HOPS: Number<u8> = Number(0, 16, "trusted hops");
const RATE: Number<u32> = Number(0, 1_000_000, "requests a second");

/// The token in the registry's default that stands for the clients' folder.
pub(crate) const CLIENTS_FOLDER: &str = "<Clients/Keypath>";

keys! {
    /// Every key of config.ini, section by section.
    pub CONFIG:
    SERVER_KEYPATH: PathBuf = Key::new("Server", "Keypath", "sec", &FOLDER, AtStart,
        "Holds server.key, server.pub and the control socket.");
    ADDRESS_TTL: Duration = Key::new("Server", "IPAddressTTL", "300", &Seconds(1, 31_536_000), AtReload,
        "How long a caller's address counts as known.");
    PUBLIC_URL: Option<String> = Key::new("Server", "PublicUrl", "", &Optional(PublicUrl), AtReload,
        "Where clients reach the server; enrolment lines hold it.");

    BINDTO: IpAddr = Key::new("network", "bindto", "127.0.0.1", &Address, AtStart,
        "The address to listen on; 0.0.0.0 and :: mean all.");
    PORT: u16 = Key::new("network", "port", "8000", &Number(0, 65_535, ""), AtStart,
        "The port to listen on; 0 picks a free one.").alias("listen");
    HOSTS: Vec<String> = Key::new("network", "Hosts", "", &Hosts, AtReload,
        "Names that the plugin and ops doors answer without TLS, besides addresses, localhost and PublicUrl's.");

    CLIENTS_KEYPATH: PathBuf = Key::new("Clients", "Keypath", "sec", &FOLDER, AtStart,
        "Holds the registry and the original's client_N.pub files, which are imported.");
    REGISTER: PathBuf = Key::new("Clients", "Register", "sec/clients.dev", &FILE, AtReload,
        "The original's list of client secrets, which is imported.");
    REQUEST_TTL: Duration = Key::new("Clients", "RequestTTL", "30", &Seconds(1, 300), AtReload,
        "How far a request's time may be from the server's, before or after.");
    CLASSIC: bool = Key::new("Clients", "Classic", "on", &Switch, AtReload,
        "Whether the original's clients are served; off leaves only the envelope shape.");

    FORWARD_FOR: u8 = Key::new("Proxy", "ForwardFor", "0", &HOPS, AtReload,
        "Proxies of yours that add to X-Forwarded-For; 0 ignores the header.");
    FORWARD_HOST: u8 = Key::new("Proxy", "ForwardHost", "0", &HOPS, AtReload,
        "The same for X-Forwarded-Host.");
    FORWARD_PORT: u8 = Key::new("Proxy", "ForwardPort", "0", &HOPS, AtReload,
        "The same for X-Forwarded-Port.");
    FORWARD_PREFIX: u8 = Key::new("Proxy", "ForwardPrefix", "0", &HOPS, AtReload,
        "The same for X-Forwarded-Prefix.");
    FORWARD_PROTO: u8 = Key::new("Proxy", "ForwardProto", "0", &HOPS, AtReload,
        "The same for X-Forwarded-Proto.");

    DOOR_SEALED: bool = Key::new("Doors", "sealed", "on", &Switch, AtStart,
        "The encrypted door, POST /v1.");
    DOOR_PLUGIN: bool = Key::new("Doors", "plugin", "off", &Switch, AtStart,
        "REST routes for plugins, /<plugin>.");
    DOOR_RPC: bool = Key::new("Doors", "rpc", "off", &Switch, AtStart,
        "Not in this version.");
    DOOR_GATEWAY: bool = Key::new("Doors", "gateway", "off", &Switch, AtStart,
        "Not in this version.");
    DOOR_OPS: bool = Key::new("Doors", "ops", "on", &Switch, AtStart,
        "/healthz, /readyz and /metrics on a listener of its own.");

    OPS_BINDTO: IpAddr = Key::new("Ops", "bindto", "127.0.0.1", &Address, AtStart,
        "The address of the ops listener; another than loopback needs TokenFile.");
    OPS_PORT: u16 = Key::new("Ops", "port", "8001", &Number(0, 65_535, ""), AtStart,
        "Its port; 0 picks a free one.");
    OPS_TOKEN: Option<PathBuf> = Key::new("Ops", "TokenFile", "", &Optional(PrivateFile), AtReload,
        "Holds the bearer token that /readyz and /metrics ask for; /healthz stays open.");

    PIDFILE: Option<PathBuf> = Key::new("paths", "pidfile", "", &Optional(FILE), AtStart,
        "Holds the server's process id while it runs.");

    SSL_ENABLED: bool = Key::new("SSL", "enabled", "no", &Switch, AtStart,
        "Whether the listener speaks TLS, and TLS only.");
    SSL_KEYFILE: Option<PathBuf> = Key::new("SSL", "keyfile", "", &Optional(PrivateFile), AtReload,
        "The certificate's private key, in PEM.");
    SSL_CERTFILE: Option<PathBuf> = Key::new("SSL", "certfile", "", &Optional(FILE), AtReload,
        "The certificate and those that lead to its root, in PEM.");

    REGISTRY_URL: String = Key::new("Registry", "Url", "sqlite:<Clients/Keypath>/registry.db", &Store("sqlite:<file>"), AtStart,
        "The registry's database; <Clients/Keypath> stands for that folder.");

    GUARD_URL: String = Key::new("Guard", "Url", "memory", &Store("memory"), AtStart,
        "Where accepted requests are remembered.");
    MAX_ENTRIES: usize = Key::new("Guard", "MaxEntries", "1000000", &Number(16, 100_000_000, "requests"), AtReload,
        "How many are remembered at most; a classic one costs four.");
    CALLER_SHARE: f64 = Key::new("Guard", "CallerShare", "1/16", &Share, AtReload,
        "The part of them that one caller may hold.");

    BODY: usize = Key::new("Limits", "Body", "64K", &Size(1 << 10, 64 << 20), AtReload,
        "The largest request.");
    ANSWER: usize = Key::new("Limits", "Answer", "1M", &Size(1 << 10, 64 << 20), AtReload,
        "The largest answer.");
    CONNECTIONS: usize = Key::new("Limits", "Connections", "10000", &Number(1, 1_000_000, "connections"), AtStart,
        "How many may be open at once.");
    PER_ADDRESS_RATE: u32 = Key::new("Limits", "PerAddressRate", "0", &RATE, AtReload,
        "What one address may send; 0 means no limit.");
    PER_CALLER_RATE: u32 = Key::new("Limits", "PerCallerRate", "0", &RATE, AtReload,
        "What one caller may send; 0 means no limit.");
    HEAD_TIMEOUT: Duration = Key::new("Limits", "HeadTimeout", "10", &Seconds(1, 300), AtStart,
        "How long a request's head may take to arrive.");
    BODY_TIMEOUT: Duration = Key::new("Limits", "BodyTimeout", "10", &Seconds(1, 300), AtReload,
        "How long its body may take to arrive.");
    IDLE_TIMEOUT: Duration = Key::new("Limits", "IdleTimeout", "30", &Seconds(1, 3600), AtStart,
        "How long an idle connection is kept open.");
    DRAIN_TIMEOUT: Duration = Key::new("Limits", "DrainTimeout", "8", &Seconds(0, 300), AtStart,
        "How long a stopping server waits for calls under way; containers are killed after 10.");

    PYTHON: PathBuf = Key::new("Runners", "Python", "python3", &PathTo("a program"), AtStart,
        "The Python interpreter: a path, or a name to be found on PATH.");
    PYTHON_WORKERS: usize = Key::new("Runners", "PythonWorkers", "2", &Number(1, 64, "processes"), AtStart,
        "How many Python processes run modules.");
    ISOLATION: Option<bool> = Key::new("Runners", "Isolation", "", &Optional(Choice(&[("require", true), ("warn", false)])), AtStart,
        "Whether functions run only when they can be confined; empty: require where the kernel has Landlock.");
    WORKER_USER: Option<String> = Key::new("Runners", "WorkerUser", "", &Optional(Text("a user's name or number")), AtStart,
        "The user whose processes run functions, when the server is root; empty: the server's own.");
    SEARCH_PATH: Vec<PathBuf> = Key::new("Runners", "SearchPath", "modules", &Folders, AtStart,
        "Where modules are looked up.").variable("PYTHONPATH");

    LOG_LEVEL: String = Key::new("Log", "Level", "INFO", &Text("text"), AtStart,
        "DEBUG, INFO, WARNING, ERROR or CRITICAL; anything else means WARNING.").variable("MSP_LOGLEVEL");
    LOG_FOLDER: PathBuf = Key::new("Log", "Folder", "log", &FOLDER, AtStart,
        "Where latest.log is written.").variable("MSP_LOGFILE_PATH");
    LOG_FILES: usize = Key::new("Log", "MaxFiles", "5", &Number(0, 1000, "files"), AtStart,
        "Rotated files that are kept, 10 MiB each; 0 means never rotate.").variable("MSP_MAXLOGS");
    LOG_JSON: bool = Key::new("Log", "Json", "no", &Switch, AtStart,
        "One JSON object a line in place of text.");
    LOG_ACCESS: bool = Key::new("Log", "Access", "on", &Switch, AtStart,
        "One line a call, at level INFO: request id, door, caller, function, outcome, milliseconds.");
}

keys! {
    /// Every key that a function's section in modules.ini may have.
    pub FUNCTION:
    TIMEOUT: Duration = Key::new("<function>", "Timeout", "30", &Seconds(1, 3600), AtReload,
        "The longest run of one call.");
    LOAD_TIMEOUT: Duration = Key::new("<function>", "LoadTimeout", "60", &Seconds(1, 600), AtReload,
        "The longest time its Python module may take to load; modules with another one have workers of their own.");
    MAX_CONCURRENT: usize = Key::new("<function>", "MaxConcurrent", "256", &Number(1, 100_000, "calls"), AtReload,
        "Calls under way at once; one more is busy.");
    MAX_OUTPUT: usize = Key::new("<function>", "MaxOutput", "1M", &Size(1, 64 << 20), AtReload,
        "The largest answer.");
    MEMORY: Option<u64> = Key::new("<function>", "Memory", "", &Optional(Size(1 << 20, 1 << 40)), AtReload,
        "Memory of what runs it; empty: 1024M for each Python process, 512M for an executable's, 64M for WebAssembly.");
    NETWORK: bool = Key::new("<function>", "Network", "yes", &Switch, AtReload,
        "Whether its process may use the network; WebAssembly never does.");
    PATHS: Vec<ConfinementPath> = Key::new("<function>", "Paths", "", &ConfinementPaths, AtReload,
        "Files and folders its process may use beside its own.");
    ACCESS: Access = Key::new("<function>", "Access", "read", &Choice(&[("read", Access::Read), ("write", Access::Write)]), AtReload,
        "What a call may change; write needs a grant.");
    CLASSIC_WRITE: bool = Key::new("<function>", "Classic", "no", &Switch, AtReload,
        "Opens a function with Access=write to the original's clients.");
    ROUTE: Option<Route> = Key::new("<function>", "Route", "no", &Choice(&[("no", None), ("yes", Some(Route::Key)), ("open", Some(Route::Open))]), AtReload,
        "Whether the plugin door serves it at /<function>: with a key, or open to everybody.");
    DESCRIPTION: String = Key::new("<function>", "Description", "", &Text("text"), AtReload,
        "One line for people.");
}
