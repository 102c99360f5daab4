//! How a registered client is shown.

use msp_core::{ClientRecord, Link};
use msp_protocol::{ClientName, UnixSecond};
use serde::Serialize;

use crate::caller::{Granted, State};
use crate::error::AdminError;
use crate::output::{Cell, Tone};

/// A client in the words of the command line, as scripts get it; times are Unix seconds.
#[derive(Debug, Serialize)]
pub(super) struct ClientView {
    pub(super) name: Option<ClientName>,
    pub(super) fingerprint: String,
    pub(super) key: String,
    pub(super) grants: Granted,
    pub(super) classic: bool,
    pub(super) added: Option<UnixSecond>,
    pub(super) last_used: Option<UnixSecond>,
    pub(super) expires: Option<UnixSecond>,
    pub(super) old_secret_until: Option<UnixSecond>,
    pub(super) state: State,
}

impl ClientView {
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
            grants: Granted::new(&record.grants),
            classic: record.classic,
            added: linked.map(|linked| linked.added),
            last_used: linked.and_then(|linked| linked.last_used),
            expires: record.expires,
            old_secret_until: previous.map(|(_, until)| *until).filter(|until| *until > now),
            state: if record.disabled { State::Disabled } else { State::at(now, record.expires) },
        }
    }

    pub(super) fn state_cell(&self) -> Cell {
        match self.state {
            State::Active if self.old_secret_until.is_some() => {
                Cell::toned("active, rotating", Tone::Warning)
            }
            state => state.cell(),
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
