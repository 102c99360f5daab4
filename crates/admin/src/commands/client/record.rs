//! How a registered client is shown.

use msp_core::{Access, ClientRecord, Grants, Link};
use msp_protocol::{ClientName, UnixSecond};
use serde::Serialize;

use crate::error::AdminError;
use crate::output::{Cell, Tone};
use crate::times;

/// A client in the words of the command line, as scripts get it; times are Unix seconds.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) name: Option<ClientName>,
    pub(super) fingerprint: String,
    pub(super) key: String,
    /// None for the functions that everyone may call who was added without a grant.
    pub(super) grants: Option<Vec<Granted>>,
    pub(super) classic: bool,
    pub(super) added: Option<UnixSecond>,
    pub(super) last_used: Option<UnixSecond>,
    pub(super) expires: Option<UnixSecond>,
    pub(super) old_secret_until: Option<UnixSecond>,
    pub(super) state: State,
}

/// One grant.
#[derive(Debug, Serialize)]
pub(super) struct Granted {
    functions: String,
    access: Access,
}

/// Whether a client is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Active,
    Disabled,
    Expired,
}

impl Shown {
    pub(super) fn new(record: &ClientRecord, now: UnixSecond) -> Self {
        let linked = match &record.link {
            Link::Linked(linked) => Some(linked),
            Link::Unlinked => None,
        };
        let previous = linked.and_then(|linked| linked.previous.as_ref());
        Self {
            name: linked.map(|linked| linked.name.clone()),
            fingerprint: record.key.fingerprint(),
            key: record.key.to_string(),
            grants: granted(&record.grants),
            classic: record.classic,
            added: linked.map(|linked| linked.added),
            last_used: linked.and_then(|linked| linked.last_used),
            expires: record.expires,
            old_secret_until: previous.map(|(_, until)| *until).filter(|until| *until > now),
            state: match record.expires {
                _ if record.disabled => State::Disabled,
                Some(expires) if expires <= now => State::Expired,
                _ => State::Active,
            },
        }
    }

    /// `sys* (read), report (write)`, or what a client without a grant may call.
    pub(super) fn grants_text(&self) -> String {
        match &self.grants {
            None => "standard".to_owned(),
            Some(grants) => {
                let grant = |grant: &Granted| format!("{} ({})", grant.functions, grant.access.as_str());
                grants.iter().map(grant).collect::<Vec<_>>().join(", ")
            }
        }
    }

    pub(super) fn state_cell(&self) -> Cell {
        match self.state {
            State::Active if self.old_secret_until.is_some() => {
                Cell::toned("active, rotating", Tone::Warning)
            }
            State::Active => Cell::toned("active", Tone::Good),
            State::Disabled => Cell::toned("disabled", Tone::Warning),
            State::Expired => Cell::toned("expired", Tone::Bad),
        }
    }
}

fn granted(grants: &Grants) -> Option<Vec<Granted>> {
    match grants {
        Grants::Standard => None,
        Grants::Listed(listed) => {
            let grant = |(pattern, access): &(msp_core::Pattern, Access)| Granted {
                functions: pattern.to_string(),
                access: *access,
            };
            Some(listed.iter().map(grant).collect())
        }
    }
}

/// The client of this name, or of this fingerprint.
pub(super) fn find<'a>(
    clients: &'a [ClientRecord],
    name: &ClientName,
) -> Result<&'a ClientRecord, AdminError> {
    let is_it = |record: &&ClientRecord| match &record.link {
        Link::Linked(linked) if linked.name == *name => true,
        _ => record.key.fingerprint() == name.as_str(),
    };
    clients.iter().find(is_it).ok_or_else(|| {
        AdminError::NothingFound(format!(
            "there is no client of the name or fingerprint {name}; see `msp-admin client list`"
        ))
    })
}

/// A time, or a dash where there is none.
pub(super) fn or_dash(time: Option<UnixSecond>, show: fn(UnixSecond) -> String) -> String {
    time.map_or_else(|| "-".to_owned(), show)
}

/// When a client expires, for people.
pub(super) fn expires_text(expires: Option<UnixSecond>) -> String {
    expires.map_or_else(|| "never".to_owned(), times::local)
}
