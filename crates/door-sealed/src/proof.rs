//! What both shapes share: the secret and the freshness.

use std::sync::Arc;

use msp_core::{Admission, Item, RegistryError, Rejection};
use msp_protocol::{Digest, ErrorCode, UnixSecond};

use crate::clients::{Directory, Entry};
use crate::reason::Reason;
use crate::{Incoming, Sealed};

/// What a request claims, once a registered key has opened it.
pub(crate) struct Claim {
    pub(crate) entry: Arc<Entry>,
    pub(crate) secret: Digest,
    pub(crate) ts: UnixSecond,
    pub(crate) items: Vec<Item>,
}

/// Why a request that a registered key opened is refused.
pub(crate) enum Refused {
    /// The secret does not fit, or it is a replay: the plain 401.
    Unproven(Reason),
    /// Proven, but not at this time; `tell` says whether the caller may be told.
    Skewed { not_before: UnixSecond, tell: bool, reason: Reason },
    /// Proven, but the guard cannot take it.
    Limited(Reason),
    /// Proven, by a client that is disabled or has expired.
    Closed(ErrorCode, Reason),
}

impl Sealed {
    /// Proves the claim and admits the request, once.
    pub(crate) async fn prove(
        &self,
        incoming: &Incoming,
        claim: &Claim,
        directory: &Directory,
    ) -> Result<(), Refused> {
        let now = self.clock.unix();
        let client = claim.entry.digest;
        claim.entry.judge(&claim.secret, now, directory).map_err(Refused::Unproven)?;
        // Who is let in no longer is told so as often as it might call, and is then worth no more work.
        if let Some((_, reason)) = claim.entry.closed(now)
            && !self.calls.rates.caller_may(&client)
        {
            return Err(Refused::Unproven(reason));
        }
        // Before the guard judges it, or else what it refuses now might be forgiven when the old secret ends. A request
        // that is too old leaves no trace in the guard, and is no use of the new secret.
        let too_old = claim.ts < now.saturating_sub(incoming.settings.clients.request_ttl.as_secs());
        let ends = !too_old && claim.entry.closed(now).is_none() && claim.entry.ends_previous(&claim.secret);
        if ends && !self.end_previous_secret(client, claim.secret).await {
            return Err(Refused::Limited(Reason::GuardUnavailable));
        }
        let admission = Admission { client, items: claim.items.clone(), ts: claim.ts };
        self.guard.replay.admit(admission).await.map_err(|rejection| refused(rejection, claim.ts, now))?;
        // The secret may have ended meanwhile, and with it the floor that stood for its requests.
        let directory = self.clients.load();
        let entry = directory.by_digest(&client).ok_or(Refused::Unproven(Reason::Stranger))?;
        entry.judge(&claim.secret, now, &directory).map_err(Refused::Unproven)?;
        entry.closed(now).map_or(Ok(()), |(code, reason)| Err(Refused::Closed(code, reason)))
    }

    /// Ends the old secret of a rotated client, because the new one came; false when that cannot be made durable.
    async fn end_previous_secret(&self, client: Digest, secret: Digest) -> bool {
        let (clients, replay) = (self.clients.clone(), self.guard.replay.clone());
        // A task of its own, which a caller who hangs up does not end: until the guard knows, the directory must not
        // change, or a request under the new secret would be judged by a floor that is about to fall.
        let ended = self.background.spawn(async move {
            let _alone = clients.changing.lock().await;
            let Some(entry) = clients.load().by_digest(&client).cloned() else { return Ok(()) };
            if entry.ends_previous(&secret) {
                // First, so that nothing under the old secret is accepted once the floor has fallen.
                entry.refuse_previous();
                replay.end_previous_secret(client, secret).await?;
                entry.set_previous_ended();
            }
            Ok::<_, RegistryError>(())
        });
        matches!(ended.await, Ok(Ok(())))
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
