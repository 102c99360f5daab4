//! What all HTTP doors share: the listener and its connections, TLS, where requests come from and what they ask for, their
//! bodies, and the keys that come with them. It knows no door.

mod address;
mod api_keys;
mod bearer;
mod body;
mod decoding;
mod harden;
mod hosts;
mod listener;
mod path;
mod peer;
mod plain;
mod tls;
mod values;

pub use address::Listening;
pub use api_keys::{ApiKeys, PresentedKey, UnusableKey};
pub use bearer::bearer;
pub use body::{BodyRefusal, read_body, refuse_announced};
pub use decoding::{Charset, Unreadable, unpack};
pub use harden::harden;
pub use hosts::{HostRefusal, admit_host};
pub use listener::{Budget, Place, UnderWay, connections_that_fit, raise_file_limit, serve};
pub use path::{Path, decoded};
pub use peer::Peer;
pub use plain::{close_unanswered, plain};
pub use tls::{Tls, TlsError};
pub use values::{Form, pairs, values, without};
