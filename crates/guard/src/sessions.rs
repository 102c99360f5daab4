//! Who is logged in.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use msp_core::{Lifetime, MAX_SESSIONS, MAX_SESSIONS_OF_USER, Session, TooManySessions};
use msp_protocol::Digest;

/// Sessions by id; `now` is monotonic everywhere.
#[derive(Debug, Default)]
pub(crate) struct OpenSessions {
    open: HashMap<Digest, Open>,
    by_user: HashMap<Digest, Vec<Digest>>,
    /// By the moment of its end, the first to end in front.
    ends: BTreeSet<(Duration, Digest)>,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    session: Session,
    lifetime: Lifetime,
    began: Duration,
    used: Duration,
}

impl Open {
    fn end(&self) -> Duration {
        let idle = self.used.saturating_add(self.lifetime.idle);
        self.lifetime.whole.map_or(idle, |whole| idle.min(self.began.saturating_add(whole)))
    }
}

impl OpenSessions {
    pub(crate) fn create(
        &mut self,
        id: Digest,
        session: Session,
        lifetime: Lifetime,
        now: Duration,
    ) -> Result<(), TooManySessions> {
        self.forget_ended(now);
        self.remove(&id);
        let own = self.by_user.get(&session.user).map_or(&[][..], Vec::as_slice);
        if own.len() >= MAX_SESSIONS_OF_USER {
            let used = |id: &&Digest| self.open.get(*id).map(|open| open.used);
            if let Some(oldest) = own.iter().min_by_key(used).copied() {
                self.remove(&oldest);
            }
        }
        if self.open.len() >= MAX_SESSIONS {
            return Err(TooManySessions);
        }
        self.put(id, Open { session, lifetime, began: now, used: now });
        Ok(())
    }

    pub(crate) fn find(&self, id: &Digest, now: Duration) -> Option<Session> {
        self.open.get(id).filter(|open| open.end() > now).map(|open| open.session)
    }

    pub(crate) fn touch(&mut self, id: &Digest, now: Duration) -> Option<Session> {
        let open = self.open.get_mut(id).filter(|open| open.end() > now)?;
        self.ends.remove(&(open.end(), *id));
        open.used = now;
        self.ends.insert((open.end(), *id));
        Some(open.session)
    }

    pub(crate) fn end(&mut self, id: &Digest, now: Duration) -> bool {
        self.remove(id).is_some_and(|open| open.end() > now)
    }

    pub(crate) fn end_all_of(&mut self, user: &Digest, but: Option<&Digest>, now: Duration) -> usize {
        let ids = self.by_user.get(user).cloned().unwrap_or_default();
        ids.iter().filter(|id| Some(*id) != but).filter(|id| self.end(id, now)).count()
    }

    pub(crate) fn all_of(&self, user: &Digest, now: Duration) -> Vec<(Session, Duration)> {
        let ids = self.by_user.get(user).map_or(&[][..], Vec::as_slice);
        let open = ids.iter().filter_map(|id| self.open.get(id)).filter(|open| open.end() > now);
        let mut open: Vec<_> = open.map(|open| (open.session, now.saturating_sub(open.used))).collect();
        open.sort_by_key(|(_, idle)| *idle);
        open
    }

    /// Forgets what has ended; each is looked at once.
    pub(crate) fn forget_ended(&mut self, now: Duration) {
        while let Some((_, id)) = self.ends.first().filter(|(end, _)| *end <= now).copied() {
            self.remove(&id);
        }
    }

    fn put(&mut self, id: Digest, open: Open) {
        self.ends.insert((open.end(), id));
        self.by_user.entry(open.session.user).or_default().push(id);
        self.open.insert(id, open);
    }

    fn remove(&mut self, id: &Digest) -> Option<Open> {
        let open = self.open.remove(id)?;
        self.ends.remove(&(open.end(), *id));
        if let Some(own) = self.by_user.get_mut(&open.session.user) {
            own.retain(|other| other != id);
            if own.is_empty() {
                self.by_user.remove(&open.session.user);
            }
        }
        Some(open)
    }
}
