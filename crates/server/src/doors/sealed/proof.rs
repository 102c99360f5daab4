//! What both shapes share: the secret, the freshness, the call.

use std::sync::Arc;

use msp_core::{Admission, Caller, Door, Guard as _, Item, Link, Reason, Rejection, Shape, call, permit};
use msp_protocol::{Digest, FunctionName, UnixSecond};
use serde_json::Value;

use super::Incoming;
use crate::directory::{Directory, Entry};
use crate::problem::CallRefusal;
use crate::state::State;

/// What a request claims, once a registered key has opened it.
pub(super) struct Claim {
    pub(super) entry: Arc<Entry>,
    pub(super) secret: Digest,
    pub(super) ts: UnixSecond,
    pub(super) items: Vec<Item>,
}

/// Why a request that a registered key opened is refused.
pub(super) enum Refused {
    /// The secret does not fit, or it is a replay: the plain 401.
    Unproven(Reason),
    /// Proven, but not at this time; `tell` says whether the caller may be told.
    Skewed { not_before: UnixSecond, tell: bool, reason: Reason },
    /// Proven, but the guard cannot take it.
    Limited(Reason),
}

impl State {
    /// Proves the claim and admits the request, once.
    pub(super) async fn prove(&self, claim: &Claim, directory: &Directory) -> Result<(), Refused> {
        let now = self.clock.unix();
        let entry = &claim.entry;
        entry.judge(&claim.secret, now, directory).map_err(Refused::Unproven)?;
        let admission = Admission { client: entry.digest, items: claim.items.clone(), ts: claim.ts };
        self.guard.admit(admission).await.map_err(|rejection| refused(rejection, claim.ts, now))?;
        if entry.retires_previous(&claim.secret) {
            self.retire_previous_secret(entry.digest);
        }
        Ok(())
    }

    /// Makes the caller of a proven request.
    pub(super) fn caller(&self, incoming: &Incoming, entry: &Entry, shape: Shape) -> Arc<Caller> {
        let name = match &entry.record.link {
            Link::Linked(linked) => Some(linked.name.clone()),
            Link::Unlinked => None,
        };
        Arc::new(Caller {
            id: entry.digest,
            name,
            grants: entry.record.grants.clone(),
            door: Door::Sealed,
            shape,
            address: incoming.peer.address,
            request: incoming.id,
        })
    }

    /// Runs the function for the caller, if it may.
    pub(super) async fn run(
        &self,
        caller: &Arc<Caller>,
        function: &FunctionName,
        args: Option<Value>,
    ) -> Result<Value, CallRefusal> {
        if !self.rates.caller_may(&caller.id) {
            return Err(CallRefusal::Limited(Reason::Busy));
        }
        let permit = permit(caller, &self.runners.catalogue(), function).map_err(CallRefusal::Denied)?;
        let value = call(permit, args).await.map_err(CallRefusal::Call)?;
        self.note_success(caller);
        Ok(value)
    }
}

fn refused(rejection: Rejection, ts: UnixSecond, now: UnixSecond) -> Refused {
    match rejection {
        Rejection::BelowFloor { not_before, tell } => {
            Refused::Skewed { not_before, tell, reason: Reason::BelowFloor }
        }
        Rejection::TooNew { not_before, tell } => {
            Refused::Skewed { not_before, tell, reason: Reason::TooNew(ts.saturating_sub(now)) }
        }
        Rejection::TooOld { not_before, tell } => {
            Refused::Skewed { not_before, tell, reason: Reason::TooOld(now.saturating_sub(ts)) }
        }
        Rejection::Replayed => Refused::Unproven(Reason::Replayed),
        Rejection::Full => Refused::Limited(Reason::GuardFull),
        Rejection::Unavailable => Refused::Limited(Reason::GuardUnavailable),
    }
}
