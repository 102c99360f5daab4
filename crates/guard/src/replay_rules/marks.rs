//! Where floor and marks go: at a start, while calls flow, at a stop, and when an operator steps in.

use std::collections::{HashMap, HashSet};

use msp_core::{Item, KeptAhead, StoredMarks};
use msp_protocol::{Digest, UnixSecond};

use super::{Client, ReplayRules, STEP};
use crate::replay::ClientId;
use crate::work::{DueWrite, Work};

/// What is known here and not in the registry.
#[derive(Debug)]
pub(crate) struct Missing {
    /// The mark for all clients must rise to this second.
    pub(crate) mark: UnixSecond,
    /// What else must be written.
    pub(crate) writes: Vec<DueWrite>,
}

impl ReplayRules {
    /// Takes what the registry holds, at a start and after a restore, and returns what the registry lacks of
    /// what is known here. Floors only rise; marks become what they really are.
    pub(crate) fn load(&mut self, marks: StoredMarks) -> Missing {
        let mut missing = Missing { mark: self.mark, writes: Vec::new() };
        self.mark = marks.accepted_until;
        self.floor = self.floor.max(marks.accepted_until);

        let stored: HashMap<ClientId, UnixSecond> =
            marks.clients.iter().map(|(key, mark)| (self.clients.id(key), *mark)).collect();
        for (id, client) in self.clients.iter_mut() {
            let mark = stored.get(&id).copied().unwrap_or(0);
            if client.mark > mark {
                missing.writes.push(DueWrite::MarkClient(id, client.mark));
            }
            client.mark = mark;
            client.floor = client.floor.max(mark);
        }
        missing.writes.extend(self.load_ahead(&marks.ahead));
        missing
    }

    fn load_ahead(&mut self, stored: &[KeptAhead]) -> Option<DueWrite> {
        let items: HashSet<&Item> = stored.iter().map(|kept| &kept.item).collect();
        let key_of = |id| self.clients.get(id).map(|client| client.key);
        let missing: Vec<KeptAhead> = self
            .ahead
            .iter()
            .filter(|(item, ..)| !items.contains(item))
            .filter_map(|(item, ts, id)| Some(KeptAhead { client: key_of(id)?, item, ts }))
            .collect();
        for kept in stored {
            let id = self.clients.id(&kept.client);
            if !self.accepted.holds(&self.printer.print(&kept.item))
                && self.ahead.insert(kept.item, kept.ts, id)
                && let Some(client) = self.clients.get_mut(id)
            {
                client.ahead += 1;
            }
        }
        (!missing.is_empty()).then_some(DueWrite::Keep(missing))
    }

    /// What is due for the marks: raising ahead of need while calls flow, and a try while writing fails.
    pub(crate) fn upkeep(&mut self, now: UnixSecond) -> Option<Work> {
        let flow = std::mem::take(&mut self.calls_flow);
        if self.closed {
            return None;
        }
        if flow && self.mark <= now {
            return Some(Work::MarkAll(now.saturating_add(STEP)));
        }
        self.failing.then_some(Work::Write(DueWrite::Probe))
    }

    /// The mark for all, as it is known to stand in the registry.
    pub(crate) fn mark(&self) -> UnixSecond {
        self.mark
    }

    /// Notes that the registry has this mark for all.
    pub(crate) fn set_mark(&mut self, mark: UnixSecond) {
        self.mark = mark;
    }

    /// The key of a client whose mark is to rise; none when the registry has that mark already.
    pub(crate) fn client_to_mark(&self, id: ClientId, mark: UnixSecond) -> Option<Digest> {
        self.clients.get(id).filter(|client| client.mark < mark).map(|client| client.key)
    }

    /// Notes that the registry has this mark of a client.
    pub(crate) fn set_client_mark(&mut self, id: ClientId, mark: UnixSecond) {
        if let Some(client) = self.clients.get_mut(id) {
            *client = Client { mark: client.mark.max(mark), ..*client };
        }
    }

    /// Whether this item is kept here as ahead.
    pub(crate) fn keeps_ahead(&self, item: &Item) -> bool {
        self.ahead.holds(item)
    }

    /// The earliest second for which something is kept here as ahead; the end of time when nothing is.
    pub(crate) fn earliest_ahead(&self) -> UnixSecond {
        self.ahead.earliest().unwrap_or(UnixSecond::MAX)
    }

    /// Accepts nothing more.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// The lowest mark that still lies above everything the mark for all stands for.
    pub(crate) fn mark_to_close_with(&self) -> UnixSecond {
        self.mark.min(self.highest.max(self.floor))
    }

    /// Lowers the mark to the clock, or to what was accepted in the two seconds after it, and returns it. It
    /// is lowered here before it is in the registry, so that nothing is accepted under the old one meanwhile.
    pub(crate) fn lower_mark(&mut self, now: UnixSecond) -> UnixSecond {
        let accepted = self.highest.clamp(now, now.saturating_add(STEP));
        self.mark = self.mark.min(accepted);
        self.highest = self.highest.min(self.mark);
        self.mark
    }

    /// Lowers the floor to the clock.
    pub(crate) fn lower_floor(&mut self, now: UnixSecond) {
        self.floor = self.floor.min(now);
    }

    /// Lowers a client's own floor to the highest time that can have been accepted, and its mark to where the registry
    /// has it now: the secret of every request that was refused as ahead has ended.
    pub(crate) fn lower_client(&mut self, key: &Digest, mark: UnixSecond, now: UnixSecond) {
        let (id, highest) = (self.clients.id(key), now.saturating_add(self.ttl()));
        if let Some(client) = self.clients.get_mut(id) {
            client.floor = client.floor.min(highest);
            client.mark = client.mark.min(mark);
        }
    }

    /// Notes whether the registry could be written, and says whether that is news.
    pub(crate) fn set_failing(&mut self, failing: bool) -> bool {
        std::mem::replace(&mut self.failing, failing) != failing
    }
}
