//! One attempt to log in by a password, from its turn to what becomes of it.

use std::sync::Arc;

use msp_core::{Attempt, AttemptStanding, LogIn, LogInNetwork, Network, UserRecord, Way};
use msp_protocol::{Digest, UserName};

use crate::accounts::{From, Inner, refused_now, user_name};
use crate::hashing::{Hashing, Verdict, hash};
use crate::password::Password;
use crate::refusal::LogInRefusal;
use crate::token::NewToken;
use crate::turns::{Turn, Turns};

/// How many attempts that are held wait for an account or an address; more are refused.
const HELD: usize = 8;
/// The same for those that are free.
const FREE: usize = 64;

/// What all attempts share.
pub(crate) struct Attempts {
    hashing: Hashing,
    /// Nobody's hash, for who does not exist: it costs what another one costs.
    nobodys: Arc<str>,
    /// Whoever had no turn could try many passwords at once before the first of them counts.
    accounts: Turns<Digest>,
    addresses: Turns<Network>,
    busy: metrics::Counter,
}

impl Attempts {
    pub(crate) fn start() -> std::io::Result<Self> {
        let nobodys = NewToken::random().as_str().as_bytes().to_vec().into();
        Ok(Self {
            hashing: Hashing::start()?,
            nobodys: hash(&Password::presented(nobodys)).into(),
            accounts: Turns::default(),
            addresses: Turns::default(),
            busy: metrics::counter!("msp_log_ins_busy_total"),
        })
    }
}

/// Who tries, as far as the rules of failed passwords depend on it.
struct Asker {
    account: Digest,
    /// None for what is no name of a user.
    name: Option<UserName>,
    from: From,
}

impl Inner {
    /// Looks at a password in its turn, unless the rules say otherwise; what it finds is counted.
    pub(crate) async fn attempt(
        &self,
        name: &[u8],
        password: Password,
        from: From,
    ) -> Result<Arc<UserRecord>, LogInRefusal> {
        let asker = Asker { account: Digest::of(name), name: user_name(name), from };
        let refused = self.judge(&asker).await?;
        let _turns = self.turns(&asker, refused).await?;
        let verified = self.verify(&asker, name, &password).await;
        if verified == Err(LogInRefusal::Busy) {
            self.attempts.busy.increment(1);
        }
        verified
    }

    /// Waits for the turn of the account and of an address that may be closed. Meanwhile others may have failed, so the rules
    /// are asked again; who is held has the turn of its address too, whichever that is, and keeps both for a second.
    async fn turns(
        &self,
        asker: &Asker,
        mut standing: Treated,
    ) -> Result<(Turn<Digest>, Option<Turn<Network>>), LogInRefusal> {
        let network = Network::of(asker.from.address);
        let line = |standing| if standing == Treated::Held { HELD } else { FREE };
        let full =
            |standing| if standing == Treated::Held { LogInRefusal::TooManyHeld } else { LogInRefusal::Busy };
        let account = self.attempts.accounts.take(asker.account, line(standing)).await;
        let account = account.map_err(|_| full(standing))?;
        let mut address = None;
        loop {
            standing = self.judge(asker).await?;
            if address.is_some() || standing == Treated::Free && !asker.from.may_be_refused() {
                break;
            }
            let turn = self.attempts.addresses.take(network, line(standing)).await;
            address = Some(turn.map_err(|_| full(standing))?);
        }
        if standing == Treated::Held {
            tokio::time::sleep(self.config().hold).await;
        }
        Ok((account, address))
    }

    /// What the rules say; whether the network is known is read only where that matters.
    async fn judge(&self, asker: &Asker) -> Result<Treated, LogInRefusal> {
        let mut judged = self.passwords.judge(asker.as_attempt(true, false)).await;
        if judged != AttemptStanding::Free && self.is_known(asker).await? {
            judged = self.passwords.judge(asker.as_attempt(true, true)).await;
        }
        match judged {
            AttemptStanding::Free => Ok(Treated::Free),
            AttemptStanding::Held => Ok(Treated::Held),
            AttemptStanding::Refused { by, retry_after } => Err(LogInRefusal::Blocked { by, retry_after }),
        }
    }

    async fn is_known(&self, asker: &Asker) -> Result<bool, LogInRefusal> {
        let Some(name) = &asker.name else { return Ok(false) };
        let Some(user) = self.directory.user(name).await? else { return Ok(false) };
        let network = LogInNetwork::of(asker.from.address);
        Ok(self.log_ins.is_known(self.directory.users(), &user.id, network, self.clock.unix()).await?)
    }

    /// Looks at the password. Who is unknown, disabled or expired costs the same read and the same hash as who is not, and
    /// counts as a failure whatever the password was.
    async fn verify(
        &self,
        asker: &Asker,
        name: &[u8],
        password: &Password,
    ) -> Result<Arc<UserRecord>, LogInRefusal> {
        let user = match &asker.name {
            // As the registry has it now: what was remembered may be older than a change that has been answered.
            Some(name) => self.directory.read(name).await?,
            None => None,
        };
        let (now, monotonic) = (self.clock.unix(), self.clock.monotonic());
        let is_verified =
            |user: &Arc<UserRecord>| self.verified.knows(user, password, monotonic) && user.is_open(now);
        if let Some(user) = user.clone().filter(is_verified) {
            // Another request with the same password has had its turn before.
            return Ok(user);
        }
        let owner = user.as_ref().filter(|_| !password.is_too_long());
        let hash = owner.map_or(&self.attempts.nobodys, |user| &user.password).clone();
        let verdict = self.attempts.hashing.judge(password.clone(), hash).await;
        let verdict = verdict.map_err(|_| LogInRefusal::Busy)?;
        let refusal = match (&user, owner) {
            (None, _) => LogInRefusal::UnknownUser(shown(name)),
            (Some(user), _) if refused_now(user, now).is_some() => {
                refused_now(user, now).unwrap_or(LogInRefusal::Busy)
            }
            (Some(user), Some(_)) if verdict.fits || self.is_empty_and_right(user, password, asker.from) => {
                self.succeeded(asker, user, password, verdict).await;
                return Ok(user.clone());
            }
            (Some(user), _) => LogInRefusal::WrongPassword(user.name.to_string()),
        };
        self.passwords.failed(asker.as_attempt(user.is_some(), false)).await;
        if let Some(user) = &user {
            let network = LogInNetwork::of(asker.from.address);
            self.log_ins.failed(LogIn { user: user.id, network, way: Way::Password });
        }
        Err(refusal)
    }

    /// Whether the operator has said that this user needs no password here.
    fn is_empty_and_right(&self, user: &UserRecord, password: &Password, from: From) -> bool {
        password.is_empty()
            && from.is_local
            && self.config().local_empty_password
            && user.role == msp_core::Role::Normal
            && !matches!(user.name.as_str(), "root" | "toor")
    }

    async fn succeeded(&self, asker: &Asker, user: &UserRecord, password: &Password, verdict: Verdict) {
        self.passwords.succeeded(asker.as_attempt(true, false)).await;
        self.note_log_in(user, asker.from.address, Way::Password, self.clock.unix());
        if !verdict.fits {
            return;
        }
        self.verified.keep(user, password, self.clock.monotonic());
        if !verdict.is_weak {
            return;
        }
        let Ok(stronger) = self.attempts.hashing.hash(password.clone()).await else { return };
        let rehashed = self.directory.users().rehash_password(&user.id, &user.password, &stronger).await;
        if let Err(error) = rehashed {
            tracing::warn!(user = user.name.as_str(), "a weak hash stays until the next log-in: {error}");
        }
    }
}

/// How an attempt is treated whose password is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treated {
    Free,
    Held,
}

impl Asker {
    fn as_attempt(&self, exists: bool, is_known: bool) -> Attempt<'_> {
        let (account, From { address, is_hop, .. }) = (&self.account, self.from);
        Attempt { account, exists, address, is_hop, is_known }
    }
}

/// A name as a log can hold it.
fn shown(name: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(name).chars().take(64).collect();
    text.escape_debug().to_string()
}
