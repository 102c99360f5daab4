//! A fresh registry in a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;

use msp_core::clock::ManualClock;
use msp_core::{ClientRecord, Grants, Link, Linked, NewClient, Registry};
use msp_protocol::{OsRng, PrivateKey, Secret};
use msp_registry::SqlRegistry;
use tempfile::TempDir;

pub(crate) const NOW: u64 = 1_711_804_853;

pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) registry: Arc<dyn Registry>,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let url = format!("sqlite:{}", folder.path().join("registry.db").display());
        let registry = Arc::new(SqlRegistry::open(&url, clock.clone()).await.unwrap());
        Self { folder, clock, registry }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path("registry.db").display())
    }

    /// The same file, opened as another process would.
    pub(crate) async fn opened_again(&self) -> Arc<dyn Registry> {
        Arc::new(SqlRegistry::open(&self.url(), self.clock.clone()).await.unwrap())
    }

    /// Writes a copy.
    pub(crate) async fn back_up(&self, name: &str) {
        self.registry.backup(&mut msp_keyfile::create_private(&self.path(name)).unwrap()).await.unwrap();
    }

    pub(crate) async fn only_client(&self) -> ClientRecord {
        let clients = self.registry.clients().await.unwrap();
        assert_eq!(clients.len(), 1, "{clients:?}");
        clients[0].clone()
    }
}

/// The number that grows with every change.
pub(crate) async fn generation(registry: &Arc<dyn Registry>) -> u64 {
    registry.snapshot().await.unwrap().generation
}

/// A client that is not registered yet.
pub(crate) fn new_client(name: Option<&str>) -> NewClient {
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

pub(crate) fn linked(client: &ClientRecord) -> &Linked {
    match &client.link {
        Link::Linked(linked) => linked,
        Link::Unlinked => panic!("{client:?} is not linked"),
    }
}
