//! What msp-admin and a running server say to each other over the control socket.
//!
//! One JSON object a line each way: a [`Request`], then a [`Reply`]. The socket is `<Server/Keypath>/control.sock`,
//! mode 0600; the server answers its own user and root only.

use std::net::IpAddr;
use std::path::PathBuf;

use msp_protocol::UnixSecond;
use serde::{Deserialize, Serialize};

use crate::guard::{Ban, GuardStatus};
use crate::registry::Restored;

/// The socket's name inside `<Server/Keypath>`.
pub const SOCKET: &str = "control.sock";

/// The longest line either side takes, in bytes.
pub const MAX_LINE: usize = 4 * 1024 * 1024;

/// What msp-admin asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Asks for the ban list.
    Bans,
    /// Asks for the floor.
    Floor,
    /// Asks for the functions, those that do not load among them.
    Functions,
    /// Has the server take up what has changed in the registry, now.
    Follow,
    /// Lowers the floor to the clock.
    FloorReset {
        /// Who asks, for the audit.
        actor: String,
    },
    /// Takes an address off the ban list.
    LiftBan {
        /// The address.
        address: IpAddr,
    },
    /// Replaces the registry's content by a backup's.
    Restore {
        /// The absolute path of the backup, or of a copy that the server can read.
        from: PathBuf,
        /// What the operator calls it, for the audit.
        name: String,
        /// Who asks, for the audit.
        actor: String,
    },
    /// Asks how the server is.
    Status,
    /// Asks for refusals.
    Why {
        /// Only the one with this request id.
        id: Option<String>,
        /// Only those of this address.
        address: Option<IpAddr>,
        /// At most so many, the newest first.
        last: usize,
    },
}

/// What the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Reply {
    /// The ban list.
    Bans {
        /// Its rows.
        bans: Vec<Ban>,
    },
    /// It was done.
    Done,
    /// It could not be done.
    Failed {
        /// One line for the operator.
        message: String,
    },
    /// The guard's state.
    Floor {
        /// The guard's state.
        guard: GuardStatus,
        /// The server's clock.
        now: UnixSecond,
    },
    /// The functions, in the order of their names.
    Functions {
        /// The rows.
        functions: Vec<FunctionRow>,
    },
    /// Refusals, the newest first.
    Refusals {
        /// The rows.
        refusals: Vec<Refusal>,
    },
    /// The registry's content was replaced.
    Restored {
        /// What it brought.
        restored: Restored,
    },
    /// How the server is.
    Status {
        /// The server's state.
        status: Box<Status>,
    },
}

/// One refusal of the ring.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The request id, 16 hex digits.
    pub id: String,
    /// When it happened, Unix milliseconds.
    pub at_ms: u64,
    /// Where it came from.
    pub address: IpAddr,
    /// The client's name or fingerprint, when its key opened the request.
    pub client: Option<String>,
    /// What the caller got: an HTTP status, and the sealed code where there was one.
    pub answer: String,
    /// The true reason.
    pub reason: String,
}

/// One function: as it is, or why it is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionRow {
    /// Its name; that of its file when no plugin of it has ever loaded.
    pub name: String,
    /// Under which it is called over REST, when it exists.
    pub namespace: Option<String>,
    /// What it is made of: `modules.ini: simple_time`, `cpuinfo.py`, `built in`.
    pub source: String,
    /// What runs it, when it exists.
    pub runner: Option<String>,
    /// `read` or `write`, when it exists.
    pub access: Option<String>,
    /// Who may call it by its route, if it has one: `key`, `named`, `open`, `own`.
    pub route: Option<String>,
    /// How it is.
    pub state: FunctionState,
    /// Why it does not load.
    pub error: Option<String>,
    /// Permitted calls since the start.
    pub calls: u64,
    /// Those that failed.
    pub failed: u64,
    /// What the last failure was.
    pub last_failure: Option<String>,
}

/// How a function is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FunctionState {
    /// It does not load, and nobody can call it.
    Failed,
    /// It loads for the first time since the start.
    Loading,
    /// It can be called.
    Ready,
    /// It does not load as it is now; what loaded before can be called.
    Stale,
}

impl FunctionState {
    /// One lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Loading => "loading",
            Self::Ready => "ready",
            Self::Stale => "stale",
        }
    }
}

/// How the server is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Seconds since the start.
    pub uptime_sec: u64,
    /// Registered clients.
    pub clients: usize,
    /// The generation of the registry that the server has taken up.
    pub generation: u64,
    /// The functions of the catalogue with their runners.
    pub functions: Vec<(String, String)>,
    /// The guard's state.
    pub guard: GuardStatus,
    /// What keeps the server from being ready; empty when it is.
    pub not_ready: Vec<String>,
    /// What is in force, one line each.
    pub notes: Vec<String>,
    /// What works but should be looked at, one line each, with what would be right.
    pub warnings: Vec<String>,
}
