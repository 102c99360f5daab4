//! What is used once.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use msp_core::{MAX_WAITING, TooManyWaiting};
use msp_protocol::Digest;

/// Values by what asks for them; `now` is monotonic everywhere.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    values: HashMap<Digest, (Duration, Vec<u8>)>,
    /// By the moment of its end, the first to end in front.
    ends: BTreeSet<(Duration, Digest)>,
}

impl Waiting {
    pub(crate) fn put(
        &mut self,
        id: Digest,
        value: Vec<u8>,
        lasts: Duration,
        now: Duration,
    ) -> Result<(), TooManyWaiting> {
        self.remove(&id);
        self.forget_ended(now);
        if self.values.len() >= MAX_WAITING {
            return Err(TooManyWaiting);
        }
        let end = now.saturating_add(lasts);
        self.ends.insert((end, id));
        self.values.insert(id, (end, value));
        Ok(())
    }

    pub(crate) fn take(&mut self, id: &Digest, now: Duration) -> Option<Vec<u8>> {
        self.remove(id).filter(|(end, _)| *end > now).map(|(_, value)| value)
    }

    /// Forgets what has ended; each is looked at once.
    pub(crate) fn forget_ended(&mut self, now: Duration) {
        while let Some((_, id)) = self.ends.first().filter(|(end, _)| *end <= now).copied() {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &Digest) -> Option<(Duration, Vec<u8>)> {
        let value = self.values.remove(id)?;
        self.ends.remove(&(value.0, *id));
        Some(value)
    }
}
