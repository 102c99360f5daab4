//! What the guard knows of each client that proved itself.

use std::collections::HashMap;

use msp_protocol::{Digest, UnixSecond};

use crate::replay::ClientId;

/// One client's part of the guard.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client {
    /// Digest of its key.
    pub(crate) key: Digest,
    /// Slots of its accepted requests.
    pub(crate) accepted: usize,
    /// Slots of its requests refused as ahead.
    pub(crate) ahead: usize,
    /// Nothing of it at or below this second is accepted.
    pub(crate) floor: UnixSecond,
    /// Its own mark, as it is known to stand in the registry.
    pub(crate) mark: UnixSecond,
}

/// All clients seen since the start. None is dropped: there are no more of them than registered clients.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    ids: HashMap<Digest, ClientId>,
    all: Vec<Client>,
}

impl Clients {
    /// The number of the client with this key; the first time, a new one.
    pub(crate) fn id(&mut self, key: &Digest) -> ClientId {
        if let Some(&id) = self.ids.get(key) {
            return id;
        }
        let id = ClientId::try_from(self.all.len()).unwrap_or(ClientId::MAX);
        self.all.push(Client { key: *key, accepted: 0, ahead: 0, floor: 0, mark: 0 });
        self.ids.insert(*key, id);
        id
    }

    /// The client with this number.
    pub(crate) fn get(&self, id: ClientId) -> Option<&Client> {
        self.all.get(id as usize)
    }

    /// The client with this number, to change it.
    pub(crate) fn get_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.all.get_mut(id as usize)
    }

    /// All of them with their numbers, to change them.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (ClientId, &mut Client)> {
        (0..).zip(self.all.iter_mut())
    }
}
