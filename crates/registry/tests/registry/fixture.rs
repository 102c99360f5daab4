//! A fresh SQLite registry in a folder of its own.

use std::path::Path;
use std::sync::Arc;

use msp_core::Registry;
use msp_core::clock::ManualClock;
use msp_registry::SqlRegistry;
use msp_testkit::suites::registry::{NOW, RegistryStand};
use tempfile::TempDir;

pub(crate) struct Fixture {
    folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) registry: Arc<dyn Registry>,
}

impl Fixture {
    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path("registry.db").display())
    }

    /// Its file, or another one of the folder, as nobody but a test opens it: without a look at what is in it.
    pub(crate) async fn raw(&self, name: &str) -> sqlx::AnyPool {
        let url = format!("sqlite://{}", self.path(name).display());
        sqlx::AnyPool::connect(&url).await.unwrap()
    }
}

impl RegistryStand for Fixture {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let url = format!("sqlite:{}", folder.path().join("registry.db").display());
        let registry = Arc::new(SqlRegistry::open(&url, clock.clone()).await.unwrap());
        Self { folder, clock, registry }
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn registry(&self) -> &Arc<dyn Registry> {
        &self.registry
    }

    async fn opened_again(&self) -> Arc<dyn Registry> {
        Arc::new(SqlRegistry::open(&self.url(), self.clock.clone()).await.unwrap())
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }
}
