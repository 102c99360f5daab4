//! What every door, runner and store agrees on: callers, grants, the catalogue, one call, the clock.
//!
//! One request's way: a door authenticates and makes a [`Caller`]; [`Calls`] takes it from there for every door. Whether
//! it may is decided by [`permit()`], which gives a [`Permit`], and the function's [`Runner`] runs it within its limits. The
//! traits of [`Registry`], [`Replay`], [`Failures`], [`Sightings`], [`Functions`] and [`Runner`] are implemented by the crates above this one.

mod access;
mod access_line;
mod body;
mod caller;
mod calls;
#[cfg(test)]
mod captured;
mod catalogue;
pub mod clock;
mod confinement_spec;
pub mod control;
pub mod events;
mod finding;
mod grant;
mod guard;
mod identity;
mod last_used;
mod limits;
mod namespace;
mod permit;
mod plugins;
mod rates;
mod refusal;
mod refusals;
mod registry;
mod runner;
mod settings_report;
mod shards;
mod soon;
mod stamp;
mod tally;

pub use access::{Access, Origin, Route};
pub use access_line::ACCESS_LOG;
pub use body::{Body, BodyError, Input, JsonStatus, NotHttp, Output, Request, Response, json_size};
pub use caller::{Caller, Door, RequestId, RequestIds};
pub use calls::{CallRefusal, Calls, Functions, NotLoaded, Replies, run, successes};
pub use catalogue::{Argument, Catalogue, Function, MissingFunction, ModuleSpec, RunnerKind};
pub use confinement_spec::{ConfinementPath, ConfinementSpec};
pub use finding::Finding;
pub use grant::{Grants, Pattern, PatternError};
pub use guard::{
    Admission, Attempt, AttemptStanding, Ban, Failures, Guard, GuardStatus, Lifetime, LogInGuard,
    MAX_SESSIONS, MAX_SESSIONS_OF_USER, MAX_WAITING, Network, Once, PasswordBan, PasswordBanOf,
    PasswordLimits, Passwords, RefusedBy, Rejection, Replay, Session, SessionKind, Sessions, Sighting,
    Sightings, Standing, TooManySessions, TooManyWaiting,
};
pub use identity::Identity;
pub use last_used::LastUsed;
pub use limits::FunctionLimits;
pub use namespace::{NAMESPACE, Namespace, NamespaceError};
pub use permit::{Denied, Permit, callable, permit, permit_control};
pub use plugins::PluginsSpec;
pub use rates::{Rates, TooManyRequests};
pub use refusal::{Refusal, Severity};
pub use refusals::{Refusals, Refused};
pub use registry::{
    ApiKeyRecord, ApiKeyStore, Audit, AuditEvent, AuditRow, Backups, Changed, Changes, ClientRecord,
    ClientStore, Credentials, Import, Imported, Item, KeptAhead, Link, Linked, LogIn, LogInNetwork, LogInRow,
    MAX_LOG_INS, MAX_REQUEST_TTL_SEC, Marks, NewApiKey, NewClient, NewUser, NewUserToken, OriginalClients,
    Principal, Purged, Registry, RegistryError, Restored, Revoked, Role, SecretRecord, Selector, ServerLock,
    Snapshot, StoredMarks, UnlinkedChange, Use, UserChange, UserRecord, UserToken, Users, Uses, Way,
    registry_file,
};
pub use runner::{Job, RunError, Runner};
pub use settings_report::{SettingRow, SettingsReport};
pub use shards::Shards;
pub use soon::Soon;
pub use stamp::Stamp;
pub use tally::Tally;

/// A boxed future, so that the traits can be used as objects.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
