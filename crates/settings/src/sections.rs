//! The settings as the server takes them, one struct per section.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::SettingsError;
use crate::key::Key;
use crate::keys;
use crate::loaded::Loaded;
use crate::token::Token;
use crate::web_origin::AskedHost;

/// `[Server]`.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Holds server.key, server.pub and the control socket.
    pub keypath: PathBuf,
    /// How long a caller's address counts as known.
    pub address_ttl: Duration,
    /// Where clients reach the server, without a slash at its end.
    pub public_url: Option<String>,
}

/// `[network]`.
#[derive(Debug, Clone)]
pub struct NetworkSettings {
    /// The address to listen on.
    pub bindto: IpAddr,
    /// The port; 0 picks a free one.
    pub port: u16,
    /// The names that it goes by, which are answered without TLS: those of Hosts, and that of PublicUrl.
    pub hosts: Vec<String>,
}

/// `[Clients]`.
#[derive(Debug, Clone)]
pub struct ClientsSettings {
    /// Holds the registry and the original's `client_N.pub`.
    pub keypath: PathBuf,
    /// The original's list of secrets.
    pub register: PathBuf,
    /// How far a request's time may be from the server's, both ways; 1 to 300 s.
    pub request_ttl: Duration,
    /// True when the classic shape is served.
    pub classic: bool,
}

/// `[Proxy]`: trusted hops per header, 0 ignores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxySettings {
    /// `X-Forwarded-For`.
    pub forward_for: u8,
    /// `X-Forwarded-Host`.
    pub forward_host: u8,
    /// `X-Forwarded-Port`.
    pub forward_port: u8,
    /// `X-Forwarded-Prefix`.
    pub forward_prefix: u8,
    /// `X-Forwarded-Proto`.
    pub forward_proto: u8,
}

/// `[Doors]`: which are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DoorSettings {
    /// `POST /v1`.
    pub sealed: bool,
    /// `/<plugin>`, `/plugins`, `/reload/<name>` and documents.
    pub plugin: bool,
    /// `/healthz`, `/readyz`, `/metrics`.
    pub ops: bool,
}

/// `[SSL]`, when it is enabled; whether the files can be used is found out by who uses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SslSettings {
    /// The certificate's private key, in PEM.
    pub keyfile: PathBuf,
    /// The certificate and those that lead to its root, in PEM.
    pub certfile: PathBuf,
}

/// `[Ops]`.
#[derive(Debug, Clone)]
pub struct OpsSettings {
    /// The address of the ops listener; not loopback only with a token.
    pub bindto: IpAddr,
    /// Its port; 0 picks a free one.
    pub port: u16,
    /// What everything but `/healthz` asks for.
    pub token: Option<Token>,
}

/// `[Registry]`.
#[derive(Debug, Clone)]
pub struct RegistrySettings {
    /// `sqlite:` and a file.
    pub url: String,
}

/// `[Guard]`.
#[derive(Debug, Clone)]
pub struct GuardSettings {
    /// `memory`.
    pub url: String,
    /// Requests remembered at most; a classic one costs four.
    pub max_entries: usize,
    /// The part of them that one caller may hold, above 0 and at most 1.
    pub caller_share: f64,
}

/// `[Limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitSettings {
    /// The largest request, in bytes.
    pub body: usize,
    /// The largest answer, in bytes.
    pub answer: usize,
    /// Connections open at once.
    pub connections: usize,
    /// Requests a second from one address; 0 means no limit.
    pub per_address_rate: u32,
    /// Requests a second from one caller; 0 means no limit.
    pub per_caller_rate: u32,
    /// How long a request's head may take to arrive.
    pub head_timeout: Duration,
    /// How long its body may take to arrive.
    pub body_timeout: Duration,
    /// How long an idle connection is kept open.
    pub idle_timeout: Duration,
    /// How long a stopping server waits for calls under way.
    pub drain_timeout: Duration,
}

/// `[Runners]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerSettings {
    /// The Python interpreter: a path, or a name to be found on PATH.
    pub python: PathBuf,
    /// Processes that run Python modules.
    pub python_workers: usize,
    /// Whether functions run only when they can be confined; none: where the kernel has what it takes.
    pub require_isolation: Option<bool>,
    /// The user whose processes run functions, by name or number; none: the server's own.
    pub worker_user: Option<String>,
}

/// `[Log]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The lowest level that is written.
    pub level: LogLevel,
    /// Where latest.log is written.
    pub directory: PathBuf,
    /// Rotated files that are kept; 0 means never rotate.
    pub max_files: usize,
    /// True for one JSON object a line.
    pub json: bool,
    /// True when each call has a line.
    pub access: bool,
}

/// The levels of the original, by rising weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What should be looked at.
    Warning,
    /// What failed.
    Error,
    /// What stops the server.
    Critical,
}

impl LogLevel {
    /// Reads a level in any case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name.to_ascii_uppercase().as_str() {
            "DEBUG" => Some(Self::Debug),
            "INFO" => Some(Self::Info),
            "WARNING" => Some(Self::Warning),
            "ERROR" => Some(Self::Error),
            "CRITICAL" => Some(Self::Critical),
            _ => None,
        }
    }
}

impl ServerSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        Ok(Self {
            keypath: loaded.read(&keys::SERVER_KEYPATH)?,
            address_ttl: loaded.read(&keys::ADDRESS_TTL)?,
            public_url: loaded.read(&keys::PUBLIC_URL)?,
        })
    }
}

impl NetworkSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        let mut hosts = loaded.read(&keys::HOSTS)?;
        let public_url = loaded.read(&keys::PUBLIC_URL)?;
        let authority = public_url.as_deref().and_then(|url| url.split('/').nth(2));
        hosts.extend(authority.and_then(AskedHost::parse).map(|host| host.name()));
        let (bindto, port) = (loaded.read(&keys::BINDTO)?, loaded.read(&keys::PORT)?);
        Ok(Self { bindto, port, hosts })
    }
}

impl ClientsSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        Ok(Self {
            keypath: loaded.read(&keys::CLIENTS_KEYPATH)?,
            register: loaded.read(&keys::REGISTER)?,
            request_ttl: loaded.read(&keys::REQUEST_TTL)?,
            classic: loaded.read(&keys::CLASSIC)?,
        })
    }
}

impl ProxySettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        Ok(Self {
            forward_for: loaded.read(&keys::FORWARD_FOR)?,
            forward_host: loaded.read(&keys::FORWARD_HOST)?,
            forward_port: loaded.read(&keys::FORWARD_PORT)?,
            forward_prefix: loaded.read(&keys::FORWARD_PREFIX)?,
            forward_proto: loaded.read(&keys::FORWARD_PROTO)?,
        })
    }
}

impl DoorSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        for key in [&keys::DOOR_RPC, &keys::DOOR_GATEWAY] {
            let door = loaded.get(key);
            if door.value()? {
                return Err(door.refused("this version has no such door; leave it off"));
            }
        }
        Ok(Self {
            sealed: loaded.read(&keys::DOOR_SEALED)?,
            plugin: loaded.read(&keys::DOOR_PLUGIN)?,
            ops: loaded.read(&keys::DOOR_OPS)?,
        })
    }
}

impl SslSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Option<Self>, SettingsError> {
        let enabled = loaded.get(&keys::SSL_ENABLED);
        if !enabled.value()? {
            return Ok(None);
        }
        let file = |key: &'static Key<Option<PathBuf>>, needed: &str| {
            loaded.read(key)?.ok_or_else(|| enabled.refused(format!("it is on and needs {needed}")))
        };
        Ok(Some(Self {
            keyfile: file(&keys::SSL_KEYFILE, "[SSL] keyfile, the certificate's private key")?,
            certfile: file(&keys::SSL_CERTFILE, "[SSL] certfile, the certificate")?,
        }))
    }
}

impl OpsSettings {
    /// Reads the token as well; an open listener without one is refused when the door is on.
    pub(crate) fn read(
        loaded: &Loaded,
        door: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SettingsError> {
        let (bind, token) = (loaded.get(&keys::OPS_BINDTO), loaded.get(&keys::OPS_TOKEN));
        let (bindto, port) = (bind.value()?, loaded.read(&keys::OPS_PORT)?);
        let token_file = token.value()?;
        if door && !bindto.is_loopback() {
            if token_file.is_none() {
                return Err(bind.refused(format!(
                    "{bindto} can be reached from other machines; set [Ops] TokenFile to a file with a token, or bind \
                     to 127.0.0.1"
                )));
            }
            warnings.push(bind.warning(&format!(
                "the token travels in clear to {bindto}; put TLS before it, or bind to 127.0.0.1"
            )));
        }
        let token = token_file.map(|file| Token::read(token.place(), &file, warnings)).transpose()?;
        Ok(Self { bindto, port, token })
    }
}

impl RegistrySettings {
    pub(crate) fn read(loaded: &Loaded, clients: &ClientsSettings) -> Result<Self, SettingsError> {
        let url = loaded.read(&keys::REGISTRY_URL)?;
        Ok(Self { url: url.replace(keys::CLIENTS_FOLDER, &clients.keypath.to_string_lossy()) })
    }
}

impl GuardSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        Ok(Self {
            url: loaded.read(&keys::GUARD_URL)?,
            max_entries: loaded.read(&keys::MAX_ENTRIES)?,
            caller_share: loaded.read(&keys::CALLER_SHARE)?,
        })
    }
}

impl LimitSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        Ok(Self {
            body: loaded.read(&keys::BODY)?,
            answer: loaded.read(&keys::ANSWER)?,
            connections: loaded.read(&keys::CONNECTIONS)?,
            per_address_rate: loaded.read(&keys::PER_ADDRESS_RATE)?,
            per_caller_rate: loaded.read(&keys::PER_CALLER_RATE)?,
            head_timeout: loaded.read(&keys::HEAD_TIMEOUT)?,
            body_timeout: loaded.read(&keys::BODY_TIMEOUT)?,
            idle_timeout: loaded.read(&keys::IDLE_TIMEOUT)?,
            drain_timeout: loaded.read(&keys::DRAIN_TIMEOUT)?,
        })
    }
}

impl RunnerSettings {
    pub(crate) fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        Ok(Self {
            python: loaded.read(&keys::PYTHON)?,
            python_workers: loaded.read(&keys::PYTHON_WORKERS)?,
            require_isolation: loaded.read(&keys::ISOLATION)?,
            worker_user: loaded.read(&keys::WORKER_USER)?,
        })
    }
}

impl LogSettings {
    pub(crate) fn read(loaded: &Loaded, warnings: &mut Vec<String>) -> Result<Self, SettingsError> {
        let level = loaded.get(&keys::LOG_LEVEL);
        let known = LogLevel::from_name(&level.value()?);
        if known.is_none() {
            let levels = "it may be DEBUG, INFO, WARNING, ERROR or CRITICAL";
            warnings.push(format!("{}: no such level, so WARNING; {levels}", level.origin));
        }
        Ok(Self {
            level: known.unwrap_or(LogLevel::Warning),
            directory: loaded.read(&keys::LOG_FOLDER)?,
            max_files: loaded.read(&keys::LOG_FILES)?,
            json: loaded.read(&keys::LOG_JSON)?,
            access: loaded.read(&keys::LOG_ACCESS)?,
        })
    }
}
