//! Who is calling, once a door has authenticated it.

use std::fmt;
use std::net::IpAddr;

use msp_protocol::{ClientName, Digest};

use crate::grant::Grants;

/// One way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `/<plugin>` and what manages plugins.
    Plugin,
    /// `POST /v1`.
    Sealed,
}

/// How the request was packed, which decides what may be asked with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// Four values that a watcher can recombine within their time; closed to functions that write.
    Classic,
    /// One authenticated message.
    Envelope,
    /// A plain request, whose privacy is the connection's.
    Rest,
}

/// The id of one request, in the log, in the answer's `req` and for `msp-admin why`: 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// An authenticated caller; only doors make one, after proof.
#[derive(Debug, Clone)]
pub struct Caller {
    /// SHA-256 of its public key, or of its api key.
    pub id: Digest,
    /// The name of a linked client or an api key.
    pub name: Option<ClientName>,
    /// What it may call.
    pub grants: Grants,
    /// The door it came through.
    pub door: Door,
    /// How its request was packed.
    pub shape: Shape,
    /// Where the request seems to come from; for logs only, an address never widens rights.
    pub address: IpAddr,
    /// The request it makes.
    pub request: RequestId,
}
