//! How a suite starts a registry, and what it registers there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use msp_core::clock::ManualClock;
use msp_core::{
    Changed, Changes, ClientRecord, Grants, Link, Linked, NewClient, NewUser, Registry, Role, UserRecord,
};
use msp_protocol::{Digest, OsRng, PrivateKey, Secret, UnixSecond};

/// The second at which every behaviour begins, in 2024.
pub const NOW: UnixSecond = 1_711_804_853;

/// An implementation of the registry's traits, as a suite needs it.
pub trait RegistryStand: Sized {
    /// An empty registry of its own, by a clock that stands at [`NOW`].
    fn start() -> impl Future<Output = Self>;

    /// Its clock.
    fn clock(&self) -> &ManualClock;

    /// What is tested.
    fn registry(&self) -> &Arc<dyn Registry>;

    /// The same registry, opened as another process would.
    fn opened_again(&self) -> impl Future<Output = Arc<dyn Registry>>;

    /// A folder of its own, for backups.
    fn folder(&self) -> &Path;

    /// A file in that folder.
    fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a backup.
    fn back_up(&self, name: &str) -> impl Future<Output = ()> {
        async move {
            let mut file = msp_keyfile::create_private(&self.path(name)).unwrap();
            self.registry().backup(&mut file).await.unwrap();
        }
    }

    /// The one client there is.
    fn only_client(&self) -> impl Future<Output = ClientRecord> {
        async {
            let clients = self.registry().clients().await.unwrap();
            let [client] = clients.as_slice() else { panic!("{clients:?}") };
            client.clone()
        }
    }
}

/// The number that grows with every change.
pub async fn generation(registry: &Arc<dyn Registry>) -> u64 {
    registry.snapshot().await.unwrap().generation
}

/// A client that is not registered yet.
pub fn new_client(name: Option<&str>) -> NewClient {
    NewClient {
        key: *PrivateKey::generate(&mut OsRng).public(),
        secret: Secret::generate(&mut OsRng).digest(),
        name: name.map(|name| name.parse().unwrap()),
        grants: Grants::Standard,
        expires: None,
        classic: false,
        revive: false,
    }
}

/// What only a linked client has.
pub fn linked(client: &ClientRecord) -> &Linked {
    match &client.link {
        Link::Linked(linked) => linked,
        Link::Unlinked => panic!("{client:?} is not linked"),
    }
}

/// A user that is not registered yet, with a hash that no password has.
pub fn new_user(name: &str) -> NewUser {
    NewUser {
        id: Secret::generate(&mut OsRng).digest(),
        name: name.parse().unwrap(),
        password: "$argon2id$first".into(),
        role: Role::Normal,
        listed: None,
        expires: None,
    }
}

/// The user of this name, who is there.
pub async fn user(registry: &Arc<dyn Registry>, name: &str) -> UserRecord {
    registry.find_user(&name.parse().unwrap()).await.unwrap().unwrap()
}

/// The digests of principals that a server is told to read again.
pub async fn told_since(registry: &Arc<dyn Registry>, since: u64) -> Vec<Digest> {
    match registry.changes(since, &|_| false).await.unwrap() {
        Changes::Nothing => Vec::new(),
        Changes::Some(Changed { principals, unlinked: None, .. }) => {
            assert!(principals.iter().all(|(_, principal)| principal.is_none()), "{principals:?}");
            principals.into_iter().map(|(digest, _)| digest).collect()
        }
        other => panic!("{other:?}"),
    }
}
