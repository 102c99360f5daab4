//! The one table of keys, in the order in which people read them.

use std::fmt::Write as _;

use crate::key::{KIB, Key, KeyDoc, Kind, MIB};

/// Every key of config.ini, section by section.
#[must_use]
pub fn reference() -> Vec<KeyDoc> {
    CONFIG.iter().map(|key| key.doc()).collect()
}

/// Every key that a function's section in modules.ini may have.
#[must_use]
pub fn function_reference() -> Vec<KeyDoc> {
    FUNCTION.iter().map(|key| key.doc()).collect()
}

/// The reference as Markdown tables, as docs/CONFIG.md shows it.
#[must_use]
pub fn key_documentation() -> String {
    let mut text = String::new();
    let mut section = "";
    for key in reference().into_iter().chain(function_reference()) {
        if key.section != section {
            section = key.section;
            let _ = write!(
                text,
                "\n### `[{section}]`\n\n| key | default | value | what it does |\n| --- | --- | --- | --- |\n"
            );
        }
        let default = if key.default.is_empty() { "none".to_owned() } else { format!("`{}`", key.default) };
        let alias = key.alias.map_or_else(String::new, |name| format!(" Also called `{name}`."));
        let variable = key.variable.map_or_else(String::new, |name| format!(" Variable `{name}`."));
        let _ = writeln!(
            text,
            "| {} | {default} | {} | {}{alias}{variable} |",
            key.key,
            key.expects.replace('|', "\\|"),
            key.about
        );
    }
    text.trim_start().to_owned()
}

/// Defines each key and lists all of them, so that none can be forgotten.
macro_rules! keys {
    ($list:ident: $($name:ident = $key:expr;)+) => {
        $(pub(crate) static $name: Key = $key;)+
        pub(crate) static $list: &[&Key] = &[$(&$name),+];
    };
}

const FILE: Kind = Kind::Path("a file");
const FOLDER: Kind = Kind::Path("a folder");
const fn seconds(min: u64, max: u64) -> Kind {
    Kind::Number(min, max, "seconds")
}

/// More hops than any chain of proxies has.
const HOPS: Kind = Kind::Number(0, 16, "trusted hops");
const RATE: Kind = Kind::Number(0, 1_000_000, "requests a second");

/// The token in the registry's default that stands for the clients' folder.
pub(crate) const CLIENTS_FOLDER: &str = "<Clients/Keypath>";

keys! { CONFIG:
    SERVER_KEYPATH = Key::new("Server", "Keypath", "sec", FOLDER,
        "Holds server.key, server.pub and the control socket.");
    ADDRESS_TTL = Key::new("Server", "IPAddressTTL", "300", seconds(1, 31_536_000),
        "How long a caller's address counts as known.");
    PUBLIC_URL = Key::new("Server", "PublicUrl", "", Kind::PublicUrl,
        "Where clients reach the server; enrolment lines hold it.");

    BINDTO = Key::new("network", "bindto", "127.0.0.1", Kind::Address,
        "The address to listen on; 0.0.0.0 and :: mean all.");
    PORT = Key::new("network", "port", "8000", Kind::Number(0, 65_535, ""),
        "The port to listen on; 0 picks a free one.").alias("listen");
    HOSTS = Key::new("network", "Hosts", "", Kind::List("names of hosts, without a port"),
        "Names that the plugin and ops doors answer without TLS, besides addresses, localhost and PublicUrl's.");

    CLIENTS_KEYPATH = Key::new("Clients", "Keypath", "sec", FOLDER,
        "Holds the registry and the original's client_N.pub files, which are imported.");
    REGISTER = Key::new("Clients", "Register", "sec/clients.dev", FILE,
        "The original's list of client secrets, which is imported.");
    REQUEST_TTL = Key::new("Clients", "RequestTTL", "30", seconds(1, 300),
        "How far a request's time may be from the server's, before or after.");
    CLASSIC = Key::new("Clients", "Classic", "on", Kind::Switch,
        "Whether the original's clients are served; off leaves only the envelope shape.");

    FORWARD_FOR = Key::new("Proxy", "ForwardFor", "0", HOPS,
        "Proxies of yours that add to X-Forwarded-For; 0 ignores the header.");
    FORWARD_HOST = Key::new("Proxy", "ForwardHost", "0", HOPS, "The same for X-Forwarded-Host.");
    FORWARD_PORT = Key::new("Proxy", "ForwardPort", "0", HOPS, "The same for X-Forwarded-Port.");
    FORWARD_PREFIX = Key::new("Proxy", "ForwardPrefix", "0", HOPS, "The same for X-Forwarded-Prefix.");
    FORWARD_PROTO = Key::new("Proxy", "ForwardProto", "0", HOPS, "The same for X-Forwarded-Proto.");

    DOOR_SEALED = Key::new("Doors", "sealed", "on", Kind::Switch, "The encrypted door, POST /v1.");
    DOOR_PLUGIN = Key::new("Doors", "plugin", "off", Kind::Switch, "REST routes for plugins, /<plugin>.");
    DOOR_RPC = Key::new("Doors", "rpc", "off", Kind::Switch, "Not in this version.");
    DOOR_GATEWAY = Key::new("Doors", "gateway", "off", Kind::Switch, "Not in this version.");
    DOOR_OPS = Key::new("Doors", "ops", "on", Kind::Switch,
        "/healthz, /readyz and /metrics on a listener of its own.");

    OPS_BINDTO = Key::new("Ops", "bindto", "127.0.0.1", Kind::Address,
        "The address of the ops listener; another than loopback needs TokenFile.");
    OPS_PORT = Key::new("Ops", "port", "8001", Kind::Number(0, 65_535, ""),
        "Its port; 0 picks a free one.");
    OPS_TOKEN = Key::new("Ops", "TokenFile", "", FILE,
        "Holds the bearer token that /readyz and /metrics ask for; /healthz stays open.");

    PLUGINS = Key::new("paths", "plugins", "", FOLDER,
        "Holds the plugins, *.py.").alias("pluginpath");
    PIDFILE = Key::new("paths", "pidfile", "", FILE, "Holds the server's process id while it runs.");
    PATHS_DOCUMENTS = Key::new("paths", "documents", "", Kind::List("folders, or route:folder"),
        "Served by the plugin door as they are; without a route at /doc.");

    SSL_ENABLED = Key::new("SSL", "enabled", "no", Kind::Switch, "Whether the listener speaks TLS, and TLS only.");
    SSL_KEYFILE = Key::new("SSL", "keyfile", "", FILE, "The certificate's private key, in PEM.");
    SSL_CERTFILE = Key::new("SSL", "certfile", "", FILE, "The certificate and those that lead to its root, in PEM.");

    AUTH_APIKEY = Key::new("auth", "apikey", "", Kind::Secret,
        "The plugin door's own key, for its control routes and for plugins with auth_type=global.");
    AUTH_APIKEY_FILE = Key::new("auth", "ApikeyFile", "", FILE, "Holds that key, in place of apikey.");
    CONTROL_OPEN = Key::new("auth", "control_open", "no", Kind::Switch,
        "Whether everybody may list and reload plugins while there is no key.");
    ALLOW_PLAIN = Key::new("auth", "AllowPlain", "no", Kind::Switch, "Whether to serve this door without TLS too.");

    CORS_ENABLED = Key::new("cors", "enabled", "no", Kind::Switch,
        "Whether pages of other origins are let in by these rules, and refused else.");
    ORIGIN_URL = Key::new("cors", "origin_url", "", Kind::List("origins such as https://app.example.net, or *"),
        "The origins that may call plugins; * means all, without credentials.");
    ACL = Key::new("cors", "acl", "", Kind::List("host names"),
        "Hosts whose origins may call plugins, with those of their sub-domains.");
    REQUIRE_ORIGIN = Key::new("cors", "require_origin", "no", Kind::Switch,
        "Whether a request without an Origin is refused too.");

    FILE_DOCUMENTS = Key::new("file_server", "documents", "", Kind::List("folders, or route:folder"),
        "The same as in [paths]; without a route at the folder's own name.");
    INDEX_FILE = Key::new("file_server", "indexfile", "index.html", Kind::FileName,
        "What is served for a folder of documents.");

    REGISTRY_URL = Key::new("Registry", "Url", "sqlite:<Clients/Keypath>/registry.db", Kind::Store("sqlite:<file>"),
        "The registry's database; <Clients/Keypath> stands for that folder.");

    GUARD_URL = Key::new("Guard", "Url", "memory", Kind::Store("memory"),
        "Where accepted requests are remembered.");
    MAX_ENTRIES = Key::new("Guard", "MaxEntries", "1000000", Kind::Number(16, 100_000_000, "requests"),
        "How many are remembered at most; a classic one costs four.");
    CALLER_SHARE = Key::new("Guard", "CallerShare", "1/16", Kind::Share,
        "The part of them that one caller may hold.");

    BODY = Key::new("Limits", "Body", "64K", Kind::Size(KIB, 64 * MIB), "The largest request.");
    ANSWER = Key::new("Limits", "Answer", "1M", Kind::Size(KIB, 64 * MIB), "The largest answer.");
    CONNECTIONS = Key::new("Limits", "Connections", "10000", Kind::Number(1, 1_000_000, "connections"),
        "How many may be open at once.");
    PER_ADDRESS_RATE = Key::new("Limits", "PerAddressRate", "0", RATE,
        "What one address may send; 0 means no limit.");
    PER_CALLER_RATE = Key::new("Limits", "PerCallerRate", "0", RATE,
        "What one caller may send; 0 means no limit.");
    HEAD_TIMEOUT = Key::new("Limits", "HeadTimeout", "10", seconds(1, 300),
        "How long a request's head may take to arrive.");
    BODY_TIMEOUT = Key::new("Limits", "BodyTimeout", "10", seconds(1, 300),
        "How long its body may take to arrive.");
    IDLE_TIMEOUT = Key::new("Limits", "IdleTimeout", "30", seconds(1, 3600),
        "How long an idle connection is kept open.");
    DRAIN_TIMEOUT = Key::new("Limits", "DrainTimeout", "8", seconds(0, 300),
        "How long a stopping server waits for calls under way; containers are killed after 10.");

    PYTHON = Key::new("Runners", "Python", "python3", Kind::Path("a program"),
        "The Python interpreter: a path, or a name to be found on PATH.");
    PYTHON_WORKERS = Key::new("Runners", "PythonWorkers", "2", Kind::Number(1, 64, "processes"),
        "How many Python processes run modules.");
    ISOLATION = Key::new("Runners", "Isolation", "", Kind::Choice(&["require", "warn"]),
        "Whether functions run only when they can be confined; empty: require where the kernel has Landlock.");
    WORKER_USER = Key::new("Runners", "WorkerUser", "", Kind::User,
        "The user whose processes run functions, when the server is root; empty: the server's own.");
    SEARCH_PATH = Key::new("Runners", "SearchPath", "modules", Kind::Path("one folder or more, joined by ':'"),
        "Where modules are looked up.").variable("PYTHONPATH");

    LOG_LEVEL = Key::new("Log", "Level", "INFO", Kind::Text,
        "DEBUG, INFO, WARNING, ERROR or CRITICAL; anything else means WARNING.").variable("MSP_LOGLEVEL");
    LOG_FOLDER = Key::new("Log", "Folder", "log", FOLDER,
        "Where latest.log is written.").variable("MSP_LOGFILE_PATH");
    LOG_FILES = Key::new("Log", "MaxFiles", "5", Kind::Number(0, 1000, "files"),
        "Rotated files that are kept, 10 MiB each; 0 means never rotate.").variable("MSP_MAXLOGS");
    LOG_JSON = Key::new("Log", "Json", "no", Kind::Switch, "One JSON object a line in place of text.");
    LOG_ACCESS = Key::new("Log", "Access", "on", Kind::Switch,
        "One line a call, at level INFO: request id, door, caller, function, outcome, milliseconds.");
}

keys! { FUNCTION:
    TIMEOUT = Key::new("<function>", "Timeout", "30", seconds(1, 3600), "The longest run of one call.");
    LOAD_TIMEOUT = Key::new("<function>", "LoadTimeout", "60", seconds(1, 600),
        "The longest time its Python module may take to load; modules with another one have workers of their own.");
    MAX_CONCURRENT = Key::new("<function>", "MaxConcurrent", "256", Kind::Number(1, 100_000, "calls"),
        "Calls under way at once; one more is busy.");
    MAX_OUTPUT = Key::new("<function>", "MaxOutput", "1M", Kind::Size(1, 64 * MIB), "The largest answer.");
    MEMORY = Key::new("<function>", "Memory", "", Kind::Size(MIB, 1024 * 1024 * MIB),
        "Memory of what runs it; empty: 1024M for each Python process, 512M for an executable's, 64M for WebAssembly.");
    NETWORK = Key::new("<function>", "Network", "yes", Kind::Switch,
        "Whether its process may use the network; WebAssembly never does.");
    PATHS = Key::new("<function>", "Paths", "", Kind::ConfinementSpec, "Files and folders its process may use beside its own.");
    ACCESS = Key::new("<function>", "Access", "read", Kind::Choice(&["read", "write"]),
        "What a call may change; write needs a grant.");
    CLASSIC_WRITE = Key::new("<function>", "Classic", "no", Kind::Switch,
        "Opens a function with Access=write to the original's clients.");
    ROUTE = Key::new("<function>", "Route", "no", Kind::Choice(&["no", "yes", "open"]),
        "Whether the plugin door serves it at /<function>: with a key, or open to everybody.");
    DESCRIPTION = Key::new("<function>", "Description", "", Kind::Text, "One line for people.");
}
