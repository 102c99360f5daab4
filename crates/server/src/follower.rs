//! Following the registry: what another process changes there is known here within a second, and the days of use are
//! written behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use msp_core::{Calls, Changed, Changes, Registry, RegistryError, Snapshot};
use msp_door_sealed::{Clients, Sealed};
use msp_http::ApiKeys;

use crate::readiness::Readiness;

/// Takes up changes of the registry.
pub(crate) struct Follower {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) api_keys: Arc<ApiKeys>,
    pub(crate) sealed: Arc<Sealed>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) readiness: Arc<Readiness>,
    /// That of the picture in force.
    pub(crate) generation: AtomicU64,
}

impl Follower {
    /// Takes up what another process changed in the registry.
    pub(crate) async fn follow(&self) {
        let _alone = self.clients.changing.lock().await;
        let result = async {
            let since = self.generation.load(Ordering::Relaxed);
            let generation = match self.registry.changes(since, &|digest| self.clients.knows(digest)).await? {
                Changes::Nothing => return Ok(()),
                Changes::Everything(snapshot) => {
                    let generation = snapshot.generation;
                    take_up(snapshot, &self.clients, &self.api_keys);
                    generation
                }
                Changes::Some(Changed { generation, principals, unlinked }) => {
                    self.api_keys.change(&principals);
                    self.clients.change(&principals, unlinked);
                    generation
                }
            };
            self.generation.store(generation, Ordering::Relaxed);
            tracing::info!(clients = self.clients.count(), generation, "registry changed");
            self.sealed.warm();
            Ok::<_, RegistryError>(())
        };
        let problem = result.await.err().map(|error| error.to_string());
        if self.readiness.registry_problem.load().as_deref() != problem.as_ref() {
            match &problem {
                Some(problem) => {
                    tracing::error!("the registry cannot be read; going on with what is known: {problem}")
                }
                None => tracing::info!("the registry can be read again"),
            }
            self.readiness.registry_problem.store(problem.map(Arc::new));
        }
    }

    /// Writes the days of use; keeps them when that fails.
    pub(crate) async fn write_uses(&self) {
        let uses = self.calls.last_used.take();
        if uses.is_empty() {
            return;
        }
        if let Err(error) = self.registry.note_uses(uses.clone()).await {
            tracing::warn!("days of use not written, tried again later: {error}");
            self.calls.last_used.give_back(uses);
        }
    }
}

/// Gives the doors their pictures of the registry.
pub(crate) fn take_up(snapshot: Snapshot, clients: &Clients, api_keys: &ApiKeys) {
    clients.take_up(snapshot.clients, &snapshot.secrets);
    api_keys.take_up(snapshot.api_keys);
}
