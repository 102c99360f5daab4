//! What both shapes share: the secret, the freshness, the call.

use std::sync::Arc;

use msp_core::{Admission, Caller, Door, Guard as _, Item, Link, Reason, Rejection, Shape, call, permit};
use msp_protocol::{Digest, ErrorCode, FunctionName, UnixSecond};
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
    /// Proven, by a client that is disabled or has expired.
    Closed(ErrorCode, Reason),
}

impl State {
    /// Proves the claim and admits the request, once.
    pub(super) async fn prove(&self, claim: &Claim, directory: &Directory) -> Result<(), Refused> {
        let now = self.clock.unix();
        let client = claim.entry.digest;
        claim.entry.judge(&claim.secret, now, directory).map_err(Refused::Unproven)?;
        // Who is let in no longer is told so as often as it might call, and is then worth no more work.
        if let Some((_, reason)) = claim.entry.closed(now)
            && !self.rates.caller_may(&client)
        {
            return Err(Refused::Unproven(reason));
        }
        // Before the guard judges it, or else what it refuses now might be forgiven when the old secret ends. A request
        // that is too old leaves no trace in the guard, and is no use of the new secret.
        let too_old = claim.ts < now.saturating_sub(self.settings.load().clients.request_ttl.as_secs());
        let ends = !too_old && claim.entry.closed(now).is_none() && claim.entry.ends_previous(&claim.secret);
        if ends && !self.end_previous_secret(client, claim.secret).await {
            return Err(Refused::Limited(Reason::GuardUnavailable));
        }
        let admission = Admission { client, items: claim.items.clone(), ts: claim.ts };
        self.guard.admit(admission).await.map_err(|rejection| refused(rejection, claim.ts, now))?;
        // The secret may have ended meanwhile, and with it the floor that stood for its requests.
        let directory = self.directory.load();
        let entry = directory.by_digest(&client).ok_or(Refused::Unproven(Reason::Stranger))?;
        entry.judge(&claim.secret, now, &directory).map_err(Refused::Unproven)?;
        entry.closed(now).map_or(Ok(()), |(code, reason)| Err(Refused::Closed(code, reason)))
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
        let permit = {
            let catalogue = self.runners.catalogue_for(function).await;
            permit(caller, &catalogue, function)
                .map_err(|denied| CallRefusal::Denied(denied).explained(&catalogue, function))?
        };
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
