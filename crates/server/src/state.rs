//! What all doors share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use msp_core::clock::Clock;
use msp_core::{Caller, Guard, RegistryError, RequestId, Sighting};
use msp_guard::MemoryGuard;
use msp_protocol::classic::ReplyTag;
use msp_protocol::envelope::PairKeys;
use msp_protocol::{ClientName, Digest, PrivateKey};
use msp_registry::SqlRegistry;
use msp_runners::Runners;
use msp_settings::{Settings, Sources};

use crate::directory::Directory;
use crate::doors::sealed::{ClassicSearch, RefusalTick};
use crate::rates::Rates;
use crate::refusals::Refusals;
use crate::tls::Tls;
use crate::uses::Uses;

/// Odd, so that counting in its steps meets every request id once (2⁶⁴ over the golden ratio).
const ID_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// The parts of a running server; made once, before the workers start.
pub(crate) struct State {
    pub(crate) clock: Arc<dyn Clock>,
    /// Where the settings came from, to read them again.
    pub(crate) sources: Sources,
    pub(crate) settings: ArcSwap<Settings>,
    /// The server's private key.
    pub(crate) key: Arc<PrivateKey>,
    pub(crate) reply_tag: ReplyTag,
    /// Opens nothing; a stranger's message is tried against it.
    pub(crate) dummy: PairKeys,
    pub(crate) directory: Arc<ArcSwap<Directory>>,
    pub(crate) registry: SqlRegistry,
    pub(crate) guard: Arc<MemoryGuard>,
    pub(crate) runners: Runners,
    pub(crate) search: ClassicSearch,
    pub(crate) refusals: Refusals,
    pub(crate) refusal_tick: RefusalTick,
    pub(crate) rates: Rates,
    pub(crate) uses: Uses,
    /// What the main listener is served with; none: plain HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    /// The address that the main listener is bound to, whatever the settings say since.
    pub(crate) bound: IpAddr,
    /// Held while settings are read and put in force, so that older ones never follow newer ones.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Why the settings could not be read lately.
    pub(crate) not_reloaded: ArcSwapOption<String>,
    /// Set at a graceful stop.
    pub(crate) draining: AtomicBool,
    /// Held while the directory is replaced, so that an older picture never follows a newer one.
    pub(crate) following: Arc<tokio::sync::Mutex<()>>,
    /// Why the registry could not be read lately.
    pub(crate) registry_problem: ArcSwap<Option<String>>,
    /// The runtime of the background work, which outlives the workers'.
    pub(crate) background: tokio::runtime::Handle,
    pub(crate) next_id: AtomicU64,
}

impl State {
    /// A new request id; its start is random, so that ids of two runs do not meet.
    pub(crate) fn next_request_id(&self) -> RequestId {
        RequestId(self.next_id.fetch_add(ID_STEP, Ordering::Relaxed))
    }

    /// Notes a successful call: the address, the day of use, and the end of earlier failures.
    pub(crate) fn note_success(&self, caller: &Caller) {
        let address = caller.address;
        let client = caller.name.as_ref().map_or("unlinked", ClientName::as_str);
        match self.guard.sight(address, &caller.id) {
            Sighting::New => tracing::warn!(req = %caller.request, client, "new address: {address}"),
            Sighting::Returned => {
                tracing::warn!(req = %caller.request, client, "returned address: {address}")
            }
            Sighting::Known => {}
        }
        self.guard.note_success(address, &caller.id);
        self.uses.note(caller.id, self.clock.unix());
    }

    /// Ends the old secret of a rotated client, because the new one came; false when that cannot be made durable.
    pub(crate) async fn end_previous_secret(&self, client: Digest, secret: Digest) -> bool {
        let (directory, following) = (self.directory.clone(), self.following.clone());
        let guard = self.guard.clone();
        // A task of its own, which a caller who hangs up does not end: until the guard knows, the directory must not
        // change, or a request under the new secret would be judged by a floor that is about to fall.
        let ended = self.background.spawn(async move {
            let _alone = following.lock().await;
            let Some(entry) = directory.load().by_digest(&client).cloned() else { return Ok(()) };
            if entry.ends_previous(&secret) {
                // First, so that nothing under the old secret is accepted once the floor has fallen.
                entry.refuse_previous();
                guard.end_previous_secret(client, secret).await?;
                entry.set_previous_ended();
            }
            Ok::<_, RegistryError>(())
        });
        matches!(ended.await, Ok(Ok(())))
    }

    /// What keeps the server from being ready; empty when it is.
    pub(crate) fn not_ready(&self) -> Vec<String> {
        let guard = self.guard.status();
        let ahead = guard.floor.saturating_sub(self.clock.unix());
        let mut reasons = Vec::new();
        if self.draining.load(Ordering::Relaxed) {
            reasons.push("the server is stopping".to_owned());
        }
        if guard.mark_failing {
            reasons.push("the registry cannot be written, so no request can be accepted safely".to_owned());
        }
        if let Some(problem) = &**self.registry_problem.load() {
            reasons.push(format!("the registry cannot be read: {problem}"));
        }
        reasons.extend(self.runners.loading());
        if ahead > 0 {
            reasons.push(format!("the floor is {ahead} s ahead of the clock (see msp-admin floor)"));
        }
        reasons
    }
}
