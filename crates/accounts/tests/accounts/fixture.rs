//! Accounts with users in a folder of their own.

use std::sync::Arc;
use std::time::Duration;

use msp_accounts::{Accounts, AccountsConfig, From, LogInRefusal, Parts, Password, Proven, hash};
use msp_core::clock::ManualClock;
use msp_core::{NewUser, NewUserToken, PasswordLimits, Role, UserChange, Users};
use msp_guard::{MemoryGuard, MemoryGuardConfig};
use msp_protocol::{Digest, UserName};
use msp_registry::SqlRegistry;
use tempfile::TempDir;

/// The second at which the clock stands.
pub(crate) const NOW: u64 = 1_790_000_000;
/// Every user's password.
pub(crate) const RIGHT: &str = "correct horse";

pub(crate) struct Fixture {
    pub(crate) accounts: Accounts,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) guard: Arc<MemoryGuard>,
    pub(crate) registry: Arc<SqlRegistry>,
    _folder: TempDir,
}

impl Fixture {
    pub(crate) async fn new() -> Self {
        Self::with(AccountsConfig { hold: Duration::ZERO, ..AccountsConfig::default() }).await
    }

    pub(crate) async fn with(config: AccountsConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOW));
        let url = format!("sqlite://{}", folder.path().join("registry.db").display());
        let registry = Arc::new(SqlRegistry::open(&url, clock.clone()).await.unwrap());
        let guard = MemoryGuardConfig { passwords: PasswordLimits::default(), ..Default::default() };
        let guard = MemoryGuard::start(guard, clock.clone(), registry.clone()).await.unwrap();
        let (users, sessions, passwords) = (registry.clone(), guard.clone(), guard.clone());
        let accounts =
            Accounts::start(Parts { clock: clock.clone(), users, sessions, passwords, config }).unwrap();
        Self { accounts, clock, guard, registry, _folder: folder }
    }

    pub(crate) async fn add(&self, user: &str) {
        self.add_as(user, Role::Normal).await;
    }

    pub(crate) async fn add_as(&self, user: &str, role: Role) {
        let id = Digest::of(format!("{user} {}", std::process::id()).as_bytes());
        let password = hash(&password(RIGHT)).into();
        let new = NewUser { id, name: name(user), password, role, listed: None, expires: None };
        self.registry.add_user(&new, "test").await.unwrap();
    }

    pub(crate) async fn change(&self, user: &str, change: UserChange) {
        let user = self.registry.change_user(&name(user), change, "test").await.unwrap();
        self.accounts.forget(&[user.id]);
    }

    pub(crate) async fn token(&self, user: &str, label: &str, expires: Option<u64>) -> String {
        let token = msp_accounts::NewToken::random();
        let new = NewUserToken { digest: token.digest(), label: label.parse().unwrap(), expires };
        self.registry.add_token(&name(user), &new, "test").await.unwrap();
        token.as_str().to_owned()
    }

    pub(crate) async fn log_in(&self, user: &str, text: &str) -> Result<Proven, LogInRefusal> {
        self.log_in_from(user, text, "203.0.113.7").await
    }

    pub(crate) async fn log_in_from(
        &self,
        user: &str,
        text: &str,
        address: &str,
    ) -> Result<Proven, LogInRefusal> {
        self.accounts.log_in(user.as_bytes(), password(text), from(address)).await
    }
}

pub(crate) fn name(user: &str) -> UserName {
    user.parse().unwrap()
}

pub(crate) fn password(text: &str) -> Password {
    Password::presented(text.as_bytes().to_vec().into())
}

pub(crate) fn from(address: &str) -> From {
    From { address: address.parse().unwrap(), is_hop: false, is_local: false }
}

/// What of a log-in a caller notices.
pub(crate) fn told(result: Result<Proven, LogInRefusal>) -> String {
    match result {
        Ok(proven) => format!("{} by {:?}", proven.user.name, proven.proof),
        Err(refusal) => refusal.to_string(),
    }
}
