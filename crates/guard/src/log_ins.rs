//! What log-ins leave behind in this process: sessions, what is used once, failed passwords.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Duration;

use msp_core::{
    Attempt, AttemptStanding, Lifetime, Once, PasswordBan, PasswordLimits, Passwords, Session, Sessions,
    Soon, TooManySessions, TooManyWaiting,
};
use msp_protocol::Digest;

use crate::MemoryGuard;
use crate::lock::lock;
use crate::once::Waiting;
use crate::passwords::PasswordRules;
use crate::sessions::OpenSessions;

/// The memory of log-ins; a restart ends all of it.
#[derive(Debug)]
pub(crate) struct LogInMemory {
    sessions: Mutex<OpenSessions>,
    waiting: Mutex<Waiting>,
    passwords: Mutex<PasswordRules>,
}

impl LogInMemory {
    pub(crate) fn new(limits: PasswordLimits) -> Self {
        let passwords = Mutex::new(PasswordRules::new(limits));
        Self { sessions: Mutex::default(), waiting: Mutex::default(), passwords }
    }

    pub(crate) fn reconfigure(&self, limits: PasswordLimits) {
        lock(&self.passwords).reconfigure(limits);
    }

    pub(crate) fn forget_ended(&self, now: Duration) {
        lock(&self.sessions).forget_ended(now);
        lock(&self.waiting).forget_ended(now);
    }
}

impl MemoryGuard {
    fn now(&self) -> Duration {
        self.clock.monotonic()
    }
}

impl Sessions for MemoryGuard {
    fn create<'a>(
        &'a self,
        id: &'a Digest,
        session: Session,
        lifetime: Lifetime,
    ) -> Soon<'a, Result<(), TooManySessions>> {
        Soon::now(lock(&self.log_ins.sessions).create(*id, session, lifetime, self.now()))
    }

    fn find<'a>(&'a self, id: &'a Digest) -> Soon<'a, Option<Session>> {
        Soon::now(lock(&self.log_ins.sessions).find(id, self.now()))
    }

    fn touch<'a>(&'a self, id: &'a Digest) -> Soon<'a, Option<Session>> {
        Soon::now(lock(&self.log_ins.sessions).touch(id, self.now()))
    }

    fn end<'a>(&'a self, id: &'a Digest) -> Soon<'a, bool> {
        Soon::now(lock(&self.log_ins.sessions).end(id, self.now()))
    }

    fn end_all_of<'a>(&'a self, user: &'a Digest, but: Option<&'a Digest>) -> Soon<'a, usize> {
        Soon::now(lock(&self.log_ins.sessions).end_all_of(user, but, self.now()))
    }

    fn all_of<'a>(&'a self, user: &'a Digest) -> Soon<'a, Vec<(Session, Duration)>> {
        Soon::now(lock(&self.log_ins.sessions).all_of(user, self.now()))
    }
}

impl Once for MemoryGuard {
    fn put<'a>(
        &'a self,
        id: &'a Digest,
        value: Vec<u8>,
        lasts: Duration,
    ) -> Soon<'a, Result<(), TooManyWaiting>> {
        Soon::now(lock(&self.log_ins.waiting).put(*id, value, lasts, self.now()))
    }

    fn take<'a>(&'a self, id: &'a Digest) -> Soon<'a, Option<Vec<u8>>> {
        Soon::now(lock(&self.log_ins.waiting).take(id, self.now()))
    }
}

impl Passwords for MemoryGuard {
    fn judge<'a>(&'a self, attempt: Attempt<'a>) -> Soon<'a, AttemptStanding> {
        Soon::now(lock(&self.log_ins.passwords).judge(&attempt, self.now()))
    }

    fn failed<'a>(&'a self, attempt: Attempt<'a>) -> Soon<'a, ()> {
        lock(&self.log_ins.passwords).failed(&attempt, self.now());
        Soon::now(())
    }

    fn succeeded<'a>(&'a self, attempt: Attempt<'a>) -> Soon<'a, ()> {
        lock(&self.log_ins.passwords).succeeded(&attempt, self.now());
        Soon::now(())
    }

    fn password_bans(&self) -> Soon<'_, Vec<PasswordBan>> {
        Soon::now(lock(&self.log_ins.passwords).bans(self.now()))
    }

    fn lift_address(&self, address: IpAddr) -> Soon<'_, bool> {
        Soon::now(lock(&self.log_ins.passwords).lift_address(address, self.now()))
    }

    fn lift_account<'a>(&'a self, account: &'a Digest) -> Soon<'a, bool> {
        Soon::now(lock(&self.log_ins.passwords).lift_account(account, self.now()))
    }
}
