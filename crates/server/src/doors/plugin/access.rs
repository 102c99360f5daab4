//! Who is asking: a named key of the registry, the door's own key, a plugin's own key, or nobody in particular.

use std::sync::Arc;

use msp_core::{Access, ApiKeyRecord, Caller, Door, Function, Grants, Guard as _, Reason, Route, Shape};
use msp_protocol::{Digest, FunctionName};

use super::Incoming;
use super::answer::Refusal;
use super::request::{Asked, Presented};

/// How the log names the door's own key, and a plugin's.
const DOOR_KEY: &str = "the door's key";
const PLUGIN_KEY: &str = "the plugin's key";
/// Who calls an open route: the digest of nothing that anybody could present.
const ANYBODY: [u8; 32] = [0; 32];

/// The caller of a function, and how the log names it; nameless on an open route.
///
/// # Errors
/// [`Refusal::Unauthorized`], for every reason there is.
pub(super) fn caller(
    incoming: &Incoming<'_>,
    asked: &mut Asked,
    function: &Function,
) -> Result<(Arc<Caller>, Option<String>), Refusal> {
    let presented = asked.key(incoming.request.headers());
    let named = presented.and_then(|key| named(incoming, key));
    let is_doors = presented.is_some_and(|key| incoming.door.key == Some(key.digest));
    let is_open = function.route == Some(Route::Open);
    asked.strip_keys(incoming.request.headers(), |digest| !is_open || incoming.is_ours(digest));
    let only = || Grants::only(&function.name).ok_or(Refusal::NotFound);
    let digest = presented.map(|key| key.digest);
    let refused = match named {
        Some(Ok(key)) if key.grants.cover(function) => {
            let label = Some(key.name.to_string());
            return Ok((incoming.caller(key.digest, Some(&key), key.grants.clone()), label));
        }
        Some(Ok(key)) => Some(Reason::KeyNotGranted(key.name.to_string(), function.name.to_string())),
        Some(Err(reason)) => Some(reason),
        None => None,
    };
    let opened = match function.route {
        Some(Route::Key) if is_doors => digest.map(|digest| (digest, Some(DOOR_KEY))),
        Some(Route::Own(own)) if digest == Some(own) => Some((own, Some(PLUGIN_KEY))),
        Some(Route::Open) => Some((Digest::from_stored(ANYBODY), None)),
        _ => None,
    };
    match opened {
        Some((id, label)) => Ok((incoming.caller(id, None, only()?), label.map(str::to_owned))),
        None => Err(incoming.refuse_key(presented, refused, function.name.as_str())),
    }
}

/// Who manages plugins.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Manager {
    /// Who has the key of this name.
    Key(String),
    /// Whoever asks: `control_open` is set.
    Anybody,
}

/// Lets somebody manage plugins; how the log names them.
///
/// # Errors
/// [`Refusal::Unauthorized`].
pub(super) fn manager(
    incoming: &Incoming<'_>,
    asked: &Asked,
    control: &str,
    wanted: Access,
) -> Result<Manager, Refusal> {
    let presented = asked.key(incoming.request.headers());
    let door = &incoming.door;
    if presented.is_some_and(|key| door.key == Some(key.digest)) {
        return Ok(Manager::Key(DOOR_KEY.to_owned()));
    }
    let name = control.parse::<FunctionName>().map_err(|_| Refusal::NotFound)?;
    let refused = match presented.and_then(|key| named(incoming, key)) {
        Some(Ok(key)) if key.grants.list(&name, wanted) => {
            incoming.state.uses.note(key.digest, incoming.state.clock.unix());
            return Ok(Manager::Key(key.name.to_string()));
        }
        Some(Ok(key)) => Some(Reason::KeyNotGranted(key.name.to_string(), control.to_owned())),
        Some(Err(reason)) => Some(reason),
        None => None,
    };
    // An open door is the operator's choice, and only where no key was set.
    if presented.is_none() && door.key.is_none() && door.control_open {
        return Ok(Manager::Anybody);
    }
    Err(incoming.refuse_key(presented, refused, control))
}

/// The named key that came, if it is one and may be used like this.
fn named(incoming: &Incoming<'_>, key: Presented) -> Option<Result<Arc<ApiKeyRecord>, Reason>> {
    let record = incoming.state.directory.load().api_key(&key.digest)?.clone();
    let now = incoming.state.clock.unix();
    Some(if record.expires.is_some_and(|expires| now >= expires) {
        Err(Reason::KeyExpired(record.name.to_string()))
    } else if key.in_query && !record.allow_query {
        Err(Reason::KeyInQuery(record.name.to_string()))
    } else {
        Ok(record)
    })
}

impl Incoming<'_> {
    /// True for every key that opens something here: none of them is for a plugin to see.
    fn is_ours(&self, digest: &Digest) -> bool {
        let own = |function: &Arc<Function>| function.route == Some(Route::Own(*digest));
        self.door.key == Some(*digest)
            || self.state.directory.load().api_key(digest).is_some()
            || self.state.runners.catalogue().iter().any(own)
    }

    fn caller(&self, id: Digest, key: Option<&ApiKeyRecord>, grants: Grants) -> Arc<Caller> {
        Arc::new(Caller {
            id,
            name: key.map(|key| key.name.clone()),
            grants,
            door: Door::Plugin,
            shape: Shape::Rest,
            address: self.peer.address,
            request: self.id,
        })
    }

    /// Refuses for want of a key. A key that opens nothing counts as a failure of its address.
    fn refuse_key(&self, key: Option<Presented>, known: Option<Reason>, what: &str) -> Refusal {
        let what = what.escape_debug().to_string();
        let reason = match (key, known) {
            (_, Some(reason)) => reason,
            (None, None) => Reason::KeyMissing(what),
            (Some(_), None) => {
                self.state.guard.note_failure(self.peer.address, self.peer.is_hop, None);
                Reason::KeyUnknown(what)
            }
        };
        self.refuse(None, reason, Refusal::Unauthorized)
    }
}
