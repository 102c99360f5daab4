//! The settings as the server takes them, one struct per section.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::SettingsError;
use crate::layers::Layers;
use crate::table as keys;
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
    /// The file it was read from.
    pub token_file: Option<PathBuf>,
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
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        Ok(Self {
            keypath: layers.get(&keys::SERVER_KEYPATH).path()?,
            address_ttl: layers.get(&keys::ADDRESS_TTL).seconds()?,
            public_url: layers.get(&keys::PUBLIC_URL).optional_url()?,
        })
    }
}

impl NetworkSettings {
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        let mut hosts = layers.get(&keys::HOSTS).hosts()?;
        let public_url = layers.get(&keys::PUBLIC_URL).optional_url()?;
        let authority = public_url.as_deref().and_then(|url| url.split('/').nth(2));
        hosts.extend(authority.and_then(AskedHost::parse).map(|host| host.name()));
        let (bindto, port) = (layers.get(&keys::BINDTO).address()?, layers.get(&keys::PORT).number()?);
        Ok(Self { bindto, port, hosts })
    }
}

impl ClientsSettings {
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        Ok(Self {
            keypath: layers.get(&keys::CLIENTS_KEYPATH).path()?,
            register: layers.get(&keys::REGISTER).path()?,
            request_ttl: layers.get(&keys::REQUEST_TTL).seconds()?,
            classic: layers.get(&keys::CLASSIC).switch()?,
        })
    }
}

impl ProxySettings {
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        Ok(Self {
            forward_for: layers.get(&keys::FORWARD_FOR).number()?,
            forward_host: layers.get(&keys::FORWARD_HOST).number()?,
            forward_port: layers.get(&keys::FORWARD_PORT).number()?,
            forward_prefix: layers.get(&keys::FORWARD_PREFIX).number()?,
            forward_proto: layers.get(&keys::FORWARD_PROTO).number()?,
        })
    }
}

impl DoorSettings {
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        for key in [&keys::DOOR_RPC, &keys::DOOR_GATEWAY] {
            let door = layers.get(key);
            if door.switch()? {
                let origin = door.origin.to_owned();
                return Err(SettingsError::NotInThisVersion { origin, section: key.section, key: key.name });
            }
        }
        Ok(Self {
            sealed: layers.get(&keys::DOOR_SEALED).switch()?,
            plugin: layers.get(&keys::DOOR_PLUGIN).switch()?,
            ops: layers.get(&keys::DOOR_OPS).switch()?,
        })
    }
}

impl SslSettings {
    pub(crate) fn read(layers: &Layers) -> Result<Option<Self>, SettingsError> {
        let enabled = layers.get(&keys::SSL_ENABLED);
        if !enabled.switch()? {
            return Ok(None);
        }
        let file = |key, needed| layers.get(key).optional_path()?.ok_or_else(|| enabled.needs(needed));
        Ok(Some(Self {
            keyfile: file(&keys::SSL_KEYFILE, "[SSL] keyfile, the certificate's private key")?,
            certfile: file(&keys::SSL_CERTFILE, "[SSL] certfile, the certificate")?,
        }))
    }
}

impl OpsSettings {
    /// Reads the token as well; an open listener without one is refused when the door is on.
    pub(crate) fn read(
        layers: &Layers,
        door: bool,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SettingsError> {
        let (bind, token) = (layers.get(&keys::OPS_BINDTO), layers.get(&keys::OPS_TOKEN));
        let (bindto, port) = (bind.address()?, layers.get(&keys::OPS_PORT).number()?);
        let token_file = token.optional_path()?;
        if door && !bindto.is_loopback() {
            if token_file.is_none() {
                return Err(SettingsError::OpenOps { origin: bind.origin.to_owned(), address: bindto });
            }
            warnings.push(format!(
                "{}: [Ops] bindto: the token travels in clear to {bindto}; put TLS before it, or bind to 127.0.0.1",
                bind.origin
            ));
        }
        let mut read = |file: &PathBuf| Token::read(token, file, warnings);
        Ok(Self { bindto, port, token: token_file.as_ref().map(&mut read).transpose()?, token_file })
    }
}

impl RegistrySettings {
    pub(crate) fn read(layers: &Layers, clients: &ClientsSettings) -> Result<Self, SettingsError> {
        let url = layers.get(&keys::REGISTRY_URL).store()?;
        Ok(Self { url: url.replace(keys::CLIENTS_FOLDER, &clients.keypath.to_string_lossy()) })
    }
}

impl GuardSettings {
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        Ok(Self {
            url: layers.get(&keys::GUARD_URL).store()?,
            max_entries: layers.get(&keys::MAX_ENTRIES).number()?,
            caller_share: layers.get(&keys::CALLER_SHARE).share()?,
        })
    }
}

impl LimitSettings {
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        Ok(Self {
            body: layers.get(&keys::BODY).number()?,
            answer: layers.get(&keys::ANSWER).number()?,
            connections: layers.get(&keys::CONNECTIONS).number()?,
            per_address_rate: layers.get(&keys::PER_ADDRESS_RATE).number()?,
            per_caller_rate: layers.get(&keys::PER_CALLER_RATE).number()?,
            head_timeout: layers.get(&keys::HEAD_TIMEOUT).seconds()?,
            body_timeout: layers.get(&keys::BODY_TIMEOUT).seconds()?,
            idle_timeout: layers.get(&keys::IDLE_TIMEOUT).seconds()?,
            drain_timeout: layers.get(&keys::DRAIN_TIMEOUT).seconds()?,
        })
    }
}

impl RunnerSettings {
    pub(crate) fn read(layers: &Layers) -> Result<Self, SettingsError> {
        Ok(Self {
            python: layers.get(&keys::PYTHON).path()?,
            python_workers: layers.get(&keys::PYTHON_WORKERS).number()?,
            require_isolation: layers.get(&keys::ISOLATION).optional_choice()?.map(|word| word == "require"),
            worker_user: Some(layers.get(&keys::WORKER_USER).text.to_owned()).filter(|user| !user.is_empty()),
        })
    }
}

impl LogSettings {
    pub(crate) fn read(layers: &Layers, warnings: &mut Vec<String>) -> Result<Self, SettingsError> {
        let level = layers.get(&keys::LOG_LEVEL);
        let known = LogLevel::from_name(level.text);
        if known.is_none() {
            let levels = "it may be DEBUG, INFO, WARNING, ERROR or CRITICAL";
            warnings.push(format!("{}: no such level, so WARNING; {levels}", level.origin));
        }
        Ok(Self {
            level: known.unwrap_or(LogLevel::Warning),
            directory: layers.get(&keys::LOG_FOLDER).path()?,
            max_files: layers.get(&keys::LOG_FILES).number()?,
            json: layers.get(&keys::LOG_JSON).switch()?,
            access: layers.get(&keys::LOG_ACCESS).switch()?,
        })
    }
}
