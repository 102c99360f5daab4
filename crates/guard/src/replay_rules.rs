//! Judging requests: what is remembered, and where floor and marks stand. Nothing here waits, so all of it
//! lies under one short lock.

use msp_core::{Admission, GuardStatus, Item, KeptAhead, Rejection};
use msp_protocol::UnixSecond;

use crate::MemoryGuardConfig;
use crate::clients::{Client, Clients};
use crate::replay::{ClientId, Print, Printer, Prints, ReplayTable};
use crate::told_once::ToldOnce;
use crate::work::{DueWrite, Work};

mod marks;

/// Everything an admission is judged by.
#[derive(Debug)]
pub(crate) struct ReplayRules {
    config: MemoryGuardConfig,
    printer: Printer,
    accepted: Prints,
    ahead: ReplayTable,
    clients: Clients,
    told: ToldOnce,
    /// The highest second of an accepted request that was forgotten, or what the marks said at the start.
    floor: UnixSecond,
    /// The mark for all clients, as it is known to stand in the registry.
    mark: UnixSecond,
    /// The highest second of a request accepted under the mark for all.
    highest: UnixSecond,
    /// True when a request was accepted since the last upkeep.
    calls_flow: bool,
    /// True once nothing more is accepted.
    closed: bool,
    /// True while the registry cannot be written.
    failing: bool,
}

/// What an admission comes to once its work, if any, is written.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// What must be durable first. An acceptance whose work fails is to be released.
    pub(crate) work: Option<Work>,
    /// The answer.
    pub(crate) answer: Result<(), Rejection>,
}

impl ReplayRules {
    /// Remembers nothing yet.
    pub(crate) fn new(config: MemoryGuardConfig) -> Self {
        Self {
            config,
            printer: Printer::default(),
            accepted: Prints::default(),
            ahead: ReplayTable::default(),
            clients: Clients::default(),
            told: ToldOnce::default(),
            floor: 0,
            mark: 0,
            highest: 0,
            calls_flow: false,
            closed: false,
            failing: false,
        }
    }

    /// Takes new limits; what is remembered stays, and floors make up for a changed TTL.
    pub(crate) fn reconfigure(&mut self, config: MemoryGuardConfig) {
        self.config = config;
    }

    /// Judges a request. What it accepts is remembered at once, before any work of the verdict, so that of
    /// two copies only one gets through.
    pub(crate) fn judge(&mut self, request: &Admission, now: UnixSecond) -> Verdict {
        if self.closed {
            return refuse(Rejection::Unavailable);
        }
        self.forget_accepted(now, FORGOTTEN_WITH_EACH);
        let items = request.items.as_slice();
        let prints: Vec<Print> = items.iter().map(|item| self.printer.print(item)).collect();
        let ts = request.ts.min(LAST_SECOND);
        let client = self.clients.id(&request.client);
        let floor = self.floor_of(client);
        let not_before = now.max(floor.saturating_add(1));
        if self.is_used(&prints) {
            return refuse(Rejection::Replayed);
        }
        if items.iter().any(|item| self.ahead.holds(item)) {
            // Too new for as long as it is, so that sending it again tells nothing; then used.
            let too_new = Rejection::TooNew { not_before, tell: false };
            return refuse(if self.is_ahead(ts, now) { too_new } else { Rejection::Replayed });
        }
        if self.is_ahead(ts, now) {
            return self.refuse_ahead(items, ts, client, now);
        }
        if ts < now.saturating_sub(self.ttl()) {
            return refuse(Rejection::TooOld { not_before, tell: self.tell(items, ts, now) });
        }
        if ts <= floor {
            return refuse(Rejection::BelowFloor { not_before, tell: self.tell(items, ts, now) });
        }
        if !self.has_room(client, items.len()) {
            return refuse(Rejection::Full);
        }
        self.accept(&prints, ts, client, now)
    }

    /// Gives back the slots of a request that `judge` accepted but whose mark could not be written.
    pub(crate) fn release(&mut self, request: &Admission) {
        let client = self.clients.id(&request.client);
        for item in &request.items {
            if self.accepted.release(&self.printer.print(item), client)
                && let Some(client) = self.clients.get_mut(client)
            {
                client.accepted = client.accepted.saturating_sub(1);
            }
        }
    }

    /// Forgets at most so many accepted items that are due, and says how many.
    pub(crate) fn forget_accepted(&mut self, now: UnixSecond, at_most: usize) -> usize {
        let before = self.due_before(now);
        for forgotten in 0..at_most {
            let Some((ts, client)) = self.accepted.forget_one(before) else { return forgotten };
            self.floor = self.floor.max(ts);
            if let Some(client) = self.clients.get_mut(client) {
                client.accepted = client.accepted.saturating_sub(1);
            }
        }
        at_most
    }

    /// Forgets at most so many items kept as ahead that are due, and says how many. The clients' own floors
    /// rise over them; `work` gets the marks that must be durable before the registry may forget them too.
    pub(crate) fn forget_ahead(&mut self, now: UnixSecond, at_most: usize, work: &mut Vec<Work>) -> usize {
        let before = self.due_before(now);
        let lasting = self.mark_to_close_with();
        for forgotten in 0..at_most {
            let Some((ts, id)) = self.ahead.forget_one(before) else { return forgotten };
            if let Some(client) = self.clients.get_mut(id) {
                client.ahead = client.ahead.saturating_sub(1);
                client.floor = client.floor.max(ts);
                if ts > lasting && ts > client.mark {
                    work.push(Work::Write(DueWrite::MarkClient(id, ts)));
                }
            }
        }
        at_most
    }

    /// The second before which everything remembered has lost its use: its time is longer ago than the TTL,
    /// and two seconds more, as an answer may take a moment.
    pub(crate) fn due_before(&self, now: UnixSecond) -> UnixSecond {
        now.saturating_sub(self.ttl().saturating_add(GRACE))
    }

    /// How full it is, and where the floor stands.
    pub(crate) fn status(&self) -> GuardStatus {
        GuardStatus {
            entries: self.slots(),
            max_entries: self.config.max_entries,
            floor: self.floor,
            accepted_until: self.mark,
            mark_failing: self.failing,
        }
    }

    /// Whether one of these was accepted before, or stands twice in this request. A request without
    /// items could not be remembered, so it counts as used.
    fn is_used(&self, prints: &[Print]) -> bool {
        let twice = |(n, print)| prints.iter().skip(n + 1).any(|later| later == print);
        prints.is_empty()
            || prints.iter().enumerate().any(twice)
            || prints.iter().any(|print| self.accepted.holds(print))
    }

    fn accept(&mut self, prints: &[Print], ts: UnixSecond, id: ClientId, now: UnixSecond) -> Verdict {
        let remembered_as = self.remembered_as(prints.len(), ts, now);
        for print in prints {
            self.accepted.insert(*print, remembered_as, id);
        }
        let mut own_mark = 0;
        if let Some(client) = self.clients.get_mut(id) {
            client.accepted += prints.len();
            own_mark = client.mark;
        }
        let near = ts <= now.saturating_add(STEP);
        self.calls_flow |= near;
        if near || ts <= self.mark {
            self.highest = self.highest.max(ts);
        }
        let work = if ts <= self.mark || ts <= own_mark {
            None
        } else if near {
            Some(Work::MarkAll(ts))
        } else {
            // It binds only after a start: a step above its time spares a write for each of its next seconds.
            Some(Work::Write(DueWrite::MarkClient(id, ts.saturating_add(STEP))))
        };
        Verdict { work, answer: Ok(()) }
    }

    /// The second by which accepted items are forgotten. An envelope is bound to its time. The values of a classic
    /// request are not, so each is remembered for twice the TTL from now: none joins a later request until then.
    fn remembered_as(&self, slots: usize, ts: UnixSecond, now: UnixSecond) -> UnixSecond {
        if slots > 1 { ts.max(now.saturating_add(self.ttl())) } else { ts }
    }

    /// Refuses a request whose time is ahead, for good: it is kept until its time has passed, or else its
    /// client is bound to later times.
    fn refuse_ahead(&mut self, items: &[Item], ts: UnixSecond, id: ClientId, now: UnixSecond) -> Verdict {
        let tell = self.tell(items, ts, now);
        let (floor, has_room) = (self.floor_of(id), self.has_room(id, items.len()));
        let Some(client) = self.clients.get_mut(id) else { return refuse(Rejection::Full) };
        if ts <= client.floor {
            return refuse(Rejection::BelowFloor { not_before: now.max(floor.saturating_add(1)), tell });
        }
        let answer = Err(Rejection::TooNew { not_before: now.max(floor.saturating_add(1)), tell });
        // Counted so that 64 requests fit, whether they have one item or four.
        if has_room && client.ahead + items.len() <= KEPT_AHEAD * items.len() {
            client.ahead += items.len();
            let kept = items.iter().map(|&item| KeptAhead { client: client.key, item, ts }).collect();
            for item in items {
                self.ahead.insert(*item, ts, id);
            }
            return Verdict { work: Some(Work::Write(DueWrite::Keep(kept))), answer };
        }
        client.floor = ts;
        let work = (ts > client.mark).then_some(Work::Write(DueWrite::MarkClient(id, ts)));
        Verdict { work, answer }
    }

    fn tell(&mut self, items: &[Item], ts: UnixSecond, now: UnixSecond) -> bool {
        ts.abs_diff(now) <= TOLD_WITHIN && self.told.first_time(items)
    }

    fn has_room(&self, client: ClientId, slots: usize) -> bool {
        let held = self.clients.get(client).map_or(0, |client| client.accepted + client.ahead);
        held + slots <= self.config.caller_slots() && self.slots() + slots <= self.config.max_entries
    }

    fn slots(&self) -> usize {
        self.accepted.len() + self.ahead.len()
    }

    fn floor_of(&self, client: ClientId) -> UnixSecond {
        self.floor.max(self.clients.get(client).map_or(0, |client| client.floor))
    }

    fn is_ahead(&self, ts: UnixSecond, now: UnixSecond) -> bool {
        ts > now.saturating_add(self.ttl())
    }

    fn ttl(&self) -> u64 {
        self.config.request_ttl.as_secs()
    }
}

fn refuse(rejection: Rejection) -> Verdict {
    Verdict { work: None, answer: Err(rejection) }
}

/// How far the mark may lie above the clock, in seconds, and how far one write raises it.
pub(crate) const STEP: u64 = 2;

/// Seconds for which a request is remembered beyond the TTL.
const GRACE: u64 = 2;

/// Requests of one client kept because their time was ahead.
const KEPT_AHEAD: usize = 64;

/// The highest second a registry can hold, in the year 292 277 026 596. A later one is judged like it.
const LAST_SECOND: UnixSecond = i64::MAX as UnixSecond;

/// How far from the clock, in seconds, a request may lie and its sender still be told.
const TOLD_WITHIN: u64 = 24 * 60 * 60;

/// Items forgotten with each admission: more than it brings, and so few that nobody waits for it.
const FORGOTTEN_WITH_EACH: usize = 16;
