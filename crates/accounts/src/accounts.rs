//! Who somebody is, by password or token.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use msp_core::clock::Clock;
use msp_core::{
    AttemptStanding, Lifetime, LogIn, LogInNetwork, Network, Passwords, Session, SessionKind, Sessions,
    UserRecord, Users, Way,
};
use msp_protocol::{ClientName, Digest, UnixSecond, UserName};

use crate::attempt::Attempts;
use crate::directory::Directory;
use crate::log_ins::LogIns;
use crate::password::Password;
use crate::refusal::LogInRefusal;
use crate::token::{NewToken, digest_of};
use crate::verified::Verified;

/// What `[Accounts]` says, apart from the limits that the guard has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountsConfig {
    /// How long a token of the RPC door lasts after its last use.
    pub token_life: Duration,
    /// Whether the empty password is right for users of the role normal, from this machine.
    pub local_empty_password: bool,
    /// How long an attempt is held that is.
    pub hold: Duration,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        Self {
            token_life: Duration::from_secs(300),
            local_empty_password: false,
            hold: Duration::from_secs(1),
        }
    }
}

/// Where somebody logs in from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct From {
    /// The address.
    pub address: IpAddr,
    /// Whether that is a trusted hop, which stands for many.
    pub is_hop: bool,
    /// Whether it is certain that it comes from this machine, and from no page of another's.
    pub is_local: bool,
}

impl From {
    /// Whether failures may close the address: one that stands for many is never refused.
    pub(crate) fn may_be_refused(&self) -> bool {
        !self.is_hop && !Network::of(self.address).is_local()
    }
}

/// Who somebody is, and by what.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The user as it is now.
    pub user: Arc<UserRecord>,
    /// What proved it.
    pub proof: Proof,
}

/// What proved who somebody is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Name and password.
    Password,
    /// A personal token.
    Personal {
        /// SHA-256 of it.
        digest: Digest,
        /// What the user calls it.
        label: ClientName,
    },
    /// A token of the RPC door, by its digest.
    Token(Digest),
}

/// What accounts need of the server.
pub struct Parts {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The users.
    pub users: Arc<dyn Users>,
    /// Who is logged in.
    pub sessions: Arc<dyn Sessions>,
    /// Passwords that failed.
    pub passwords: Arc<dyn Passwords>,
    /// What `[Accounts]` says.
    pub config: AccountsConfig,
}

/// The accounts of a server. A clone is the same accounts.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sessions: Arc<dyn Sessions>,
    pub(crate) passwords: Arc<dyn Passwords>,
    pub(crate) directory: Directory,
    pub(crate) log_ins: LogIns,
    pub(crate) verified: Verified,
    pub(crate) attempts: Attempts,
    config: RwLock<AccountsConfig>,
}

impl Accounts {
    /// Opens the accounts and starts the threads that look at passwords.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(parts: Parts) -> std::io::Result<Self> {
        let Parts { clock, users, sessions, passwords, config } = parts;
        Ok(Self(Arc::new(Inner {
            clock,
            sessions,
            passwords,
            directory: Directory::new(users),
            log_ins: LogIns::new(),
            verified: Verified::new(),
            attempts: Attempts::start()?,
            config: RwLock::new(config),
        })))
    }

    /// Takes other settings.
    pub fn reconfigure(&self, config: AccountsConfig) {
        *self.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    /// Forgets what is remembered of these users and tokens, by what stands for them; whoever is asked for is read again.
    pub fn forget(&self, changed: &[Digest]) {
        let changed: std::collections::HashSet<&Digest> = changed.iter().collect();
        self.0.directory.forget(|digest| changed.contains(digest));
    }

    /// Forgets what is remembered of all of them.
    pub fn forget_all(&self) {
        self.0.directory.forget(|_| true);
    }

    /// Writes behind from where users logged in, or failed to.
    pub async fn write_behind(&self) {
        if let Err(error) = self.0.log_ins.write(self.0.directory.users()).await {
            tracing::warn!("log-ins are not written, tried again later: {error}");
        }
    }

    /// Who has this name and this password. It is looked at and counted even when whoever asked goes away meanwhile.
    ///
    /// # Errors
    /// [`LogInRefusal`].
    pub async fn log_in(&self, name: &[u8], password: Password, from: From) -> Result<Proven, LogInRefusal> {
        if let Some(user) = self.0.verified_lately(name, &password, from).await {
            return Ok(Proven { user, proof: Proof::Password });
        }
        let (inner, name) = (self.0.clone(), name.to_vec());
        let attempt = tokio::spawn(async move { inner.attempt(&name, password, from).await });
        // It neither panics nor is it aborted; a runtime that ends has nobody to answer.
        let user = attempt.await.unwrap_or(Err(LogInRefusal::Busy))?;
        Ok(Proven { user, proof: Proof::Password })
    }

    /// Whom this token stands for, one of the RPC door's or a personal one; it is used by that.
    ///
    /// # Errors
    /// [`LogInRefusal`].
    pub async fn by_token(&self, text: &[u8], address: IpAddr) -> Result<Proven, LogInRefusal> {
        let digest = digest_of(text).ok_or(LogInRefusal::TokenUnknown)?;
        match self.0.by_rpc_token(digest).await? {
            Some(proven) => Ok(proven),
            None => self.0.by_personal_token(digest, address).await,
        }
    }

    /// Whom this token of the RPC door stands for; it is used by that.
    ///
    /// # Errors
    /// [`LogInRefusal`].
    pub async fn by_rpc_token(&self, text: &[u8]) -> Result<Proven, LogInRefusal> {
        let digest = digest_of(text).ok_or(LogInRefusal::TokenUnknown)?;
        self.0.by_rpc_token(digest).await?.ok_or(LogInRefusal::TokenUnknown)
    }

    /// A token of the RPC door for who is logged in, and how long it lasts without use.
    ///
    /// # Errors
    /// [`LogInRefusal::TooManySessions`].
    pub async fn open_token(&self, user: &UserRecord) -> Result<(NewToken, Duration), LogInRefusal> {
        let token = NewToken::random();
        let (kind, since) = (SessionKind::Token, self.0.clock.unix());
        let session = Session { user: user.id, epoch: user.epoch, kind, since };
        let idle = self.token_life();
        let (id, lifetime) = (token.digest(), Lifetime { idle, whole: None });
        let created = self.0.sessions.create(&id, session, lifetime).await;
        created.map_err(|_| LogInRefusal::TooManySessions)?;
        Ok((token, idle))
    }

    /// How long a token of the RPC door lasts without use.
    #[must_use]
    pub fn token_life(&self) -> Duration {
        self.0.config().token_life
    }

    /// Ends what a token of the RPC door stands for.
    pub async fn end_token(&self, digest: &Digest) {
        self.0.sessions.end(digest).await;
    }
}

impl Inner {
    pub(crate) fn config(&self) -> AccountsConfig {
        *self.config.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The user, if the password was theirs a moment ago and nothing speaks against it since: what costs no hash.
    async fn verified_lately(&self, name: &[u8], password: &Password, from: From) -> Option<Arc<UserRecord>> {
        let name = user_name(name)?;
        let user = self.directory.remembered(&name)?;
        if !self.verified.knows(&user, password, self.clock.monotonic()) || !user.is_open(self.clock.unix()) {
            return None;
        }
        let account = Digest::of(name.as_str().as_bytes());
        let judged = self.passwords.judge(msp_core::Attempt {
            account: &account,
            exists: true,
            address: from.address,
            is_hop: from.is_hop,
            is_known: false,
        });
        (judged.await == AttemptStanding::Free).then_some(user)
    }

    async fn by_rpc_token(&self, digest: Digest) -> Result<Option<Proven>, LogInRefusal> {
        let Some(session) = self.sessions.touch(&digest).await else { return Ok(None) };
        if session.kind != SessionKind::Token {
            return Ok(None);
        }
        let Some(user) = self.directory.user_of(&session.user).await? else { return Ok(None) };
        if user.epoch != session.epoch {
            return Ok(None);
        }
        let user = self.open(user)?;
        Ok(Some(Proven { user, proof: Proof::Token(digest) }))
    }

    async fn by_personal_token(&self, digest: Digest, address: IpAddr) -> Result<Proven, LogInRefusal> {
        let token = self.directory.token(&digest).await?.ok_or(LogInRefusal::TokenUnknown)?;
        let user = self.directory.user_of(&token.user).await?.ok_or(LogInRefusal::TokenUnknown)?;
        let user = self.open(user)?;
        let now = self.clock.unix();
        if token.expires.is_some_and(|expires| now >= expires) {
            let (user, label) = (user.name.to_string(), token.label.to_string());
            return Err(LogInRefusal::TokenExpired { user, label });
        }
        self.note_log_in(&user, address, Way::Token, now);
        let proof = Proof::Personal { digest, label: token.label.clone() };
        Ok(Proven { user, proof })
    }

    fn open(&self, user: Arc<UserRecord>) -> Result<Arc<UserRecord>, LogInRefusal> {
        match refused_now(&user, self.clock.unix()) {
            Some(refusal) => Err(refusal),
            None => Ok(user),
        }
    }

    pub(crate) fn note_log_in(&self, user: &UserRecord, address: IpAddr, way: Way, now: UnixSecond) {
        let network = LogInNetwork::of(address);
        self.log_ins.succeeded(LogIn { user: user.id, network, way }, now);
    }
}

/// Why a user is refused whatever they bring.
pub(crate) fn refused_now(user: &UserRecord, now: UnixSecond) -> Option<LogInRefusal> {
    if user.disabled {
        Some(LogInRefusal::Disabled(user.name.to_string()))
    } else if user.is_open(now) {
        None
    } else {
        Some(LogInRefusal::Expired(user.name.to_string()))
    }
}

/// The name of a user, if it can be one.
pub(crate) fn user_name(name: &[u8]) -> Option<UserName> {
    std::str::from_utf8(name).ok()?.parse().ok()
}
