//! Who is asking: the holder of a named key of the registry, of the door's own key, of a plugin's own key, or anybody.

use std::sync::Arc;

use msp_core::{Access, Caller, Function, Grants, Identity, Route, permit_control};
use msp_http::{Peer, PresentedKey, UnusableKey};
use msp_protocol::{Digest, FunctionName};

use crate::answer::Refusal;
use crate::reason::Reason;
use crate::request::ReadRequest;
use crate::{DOOR, Incoming};

/// What came as a key, and why it opens nothing if it does not.
#[derive(Debug)]
pub(crate) struct Key {
    presented: Option<PresentedKey>,
    /// A key of the registry that may not be used like this.
    unusable: Option<UnusableKey>,
}

impl Key {
    /// Why it did not open this for who it proved to be.
    pub(crate) fn reason(&self, identity: &Identity, what: &FunctionName) -> Reason {
        let what = what.as_str().escape_debug().to_string();
        match (identity, &self.unusable, self.presented) {
            (Identity::ApiKey { name, .. }, ..) => Reason::KeyNotGranted(name.to_string(), what),
            (_, Some(unusable), _) => Reason::KeyUnusable(unusable.clone()),
            (.., None) => Reason::KeyMissing(what),
            (.., Some(_)) => Reason::KeyUnknown(what),
        }
    }
}

/// The caller of a function, and the key it came with; keys of ours are taken out of what it asks with.
pub(crate) fn caller(
    incoming: &Incoming<'_>,
    asked: &mut ReadRequest,
    function: &Function,
) -> (Arc<Caller>, Key) {
    let headers = incoming.request.headers();
    let (caller, key) = identify(incoming, asked.key(headers), Some(function));
    let is_open = function.route == Some(Route::Open);
    asked.strip_keys(headers, |digest| !is_open || incoming.is_ours(digest));
    (caller, key)
}

/// Lets somebody manage plugins; how the log names them, if they are somebody.
///
/// # Errors
/// [`Refusal::Unauthorized`].
pub(crate) async fn manager(
    incoming: &Incoming<'_>,
    asked: &ReadRequest,
    control: &str,
    wanted: Access,
) -> Result<Option<String>, Refusal> {
    let name = control.parse::<FunctionName>().map_err(|_| Refusal::NotFound)?;
    let (caller, key) = identify(incoming, asked.key(incoming.request.headers()), None);
    // An open door is the operator's choice, and only where no key was set.
    let rules = &incoming.rules;
    let is_open = key.presented.is_none() && rules.key.is_none() && rules.control_open;
    let route = if is_open { Route::Open } else { Route::Key };
    if permit_control(&caller, &name, wanted, route).is_err() {
        let reason = key.reason(&caller.identity, &name);
        incoming.note_unknown_key(&reason).await;
        return Err(incoming.refuse(&caller.identity, reason, Refusal::Unauthorized));
    }
    if let Some(digest) = caller.identity.registered() {
        incoming.door.calls.last_used.note(*digest, incoming.door.clock.unix());
    }
    Ok(caller.identity.label().map(Into::into))
}

/// Who the key proves somebody to be who asks for this function, or to manage plugins.
fn identify(
    incoming: &Incoming<'_>,
    presented: Option<PresentedKey>,
    function: Option<&Function>,
) -> (Arc<Caller>, Key) {
    let mut key = Key { presented, unusable: None };
    let holder = |identity, grants| incoming.caller(identity, grants);
    let Some(presented) = presented else { return (holder(Identity::Anybody, Grants::nothing()), key) };
    let digest = presented.digest;
    let route = function.map_or(Some(Route::Key), |function| function.route);
    let (is_open, is_doors) = (route == Some(Route::Open), incoming.rules.key == Some(digest));
    // A text may be several keys at once: the one that the route asks for goes first.
    let asked_for = match route {
        Some(Route::Key) if is_doors => Some(Identity::DoorKey(digest)),
        Some(Route::Own(own)) if own == digest => Some(Identity::PluginKey(digest)),
        _ => None,
    };
    if let Some(identity) = asked_for {
        return (holder(identity, Grants::nothing()), key);
    }
    match incoming.door.api_keys.find(presented, incoming.door.clock.unix()) {
        // Who needs no key is nobody, whatever key came along.
        Some(Ok(record)) if !is_open || function.is_some_and(|it| it.is_covered_by(&record.grants)) => {
            let identity = Identity::ApiKey { digest, name: record.name.clone() };
            return (holder(identity, record.grants.clone()), key);
        }
        Some(Err(unusable)) => key.unusable = Some(unusable),
        Some(Ok(_)) | None => {}
    }
    let identity = if is_doors && !is_open { Identity::DoorKey(digest) } else { Identity::Anybody };
    (holder(identity, Grants::nothing()), key)
}

impl Incoming<'_> {
    /// True for every key that opens something here: none of them is for a plugin to see.
    fn is_ours(&self, digest: &Digest) -> bool {
        let own = |function: &Arc<Function>| function.route == Some(Route::Own(*digest));
        self.rules.key == Some(*digest)
            || self.door.api_keys.knows(digest)
            || self.door.functions.catalogue().iter().any(own)
    }

    fn caller(&self, identity: Identity, grants: Grants) -> Arc<Caller> {
        let (address, request) = (self.peer.address, self.id);
        Arc::new(Caller { identity, grants, ceiling: Access::Write, door: DOOR, address, request })
    }

    /// A key that opens nothing counts as a failure of its address.
    pub(crate) async fn note_unknown_key(&self, reason: &Reason) {
        if matches!(reason, Reason::KeyUnknown(_)) {
            let Peer { address, is_hop, .. } = self.peer;
            self.door.failures.note(address, is_hop).await;
        }
    }
}
