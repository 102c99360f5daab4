//! What every door, runner and store agrees on: callers, grants, the catalogue, one call, the clock.
//!
//! One request's way: a door authenticates and makes a [`Caller`]; [`permit()`] says whether it may, and gives a
//! [`Permit`]; [`call()`] runs it within its limits through the function's [`Runner`]. The traits [`Registry`],
//! [`Guard`] and [`Runner`] are implemented by the crates above this one.

mod call;
mod caller;
mod catalogue;
pub mod clock;
pub mod control;
mod finding;
mod grant;
mod guard;
mod limits;
mod plugins;
mod reach;
mod refusal;
mod registry;
mod runner;
mod stamp;
mod tally;
mod web;

pub use call::{CallError, call, call_web, successes};
pub use caller::{Caller, Door, RequestId, Shape};
pub use catalogue::{Access, Argument, Catalogue, Function, ModuleSpec, Origin, Route, RunnerKind, Trouble};
pub use finding::Finding;
pub use grant::{Denied, Grants, Pattern, PatternError, Permit, permit};
pub use guard::{Admission, Ban, Guard, GuardStatus, Item, Rejection, Sighting, Standing};
pub use limits::FunctionLimits;
pub use plugins::PluginsSpec;
pub use reach::{Reach, ReachPath};
pub use refusal::{Reason, Severity};
pub use registry::{
    ApiKeyRecord, AuditEvent, AuditRow, ClientRecord, FreshnessStore, KeptAhead, Link, Linked,
    MAX_REQUEST_TTL_SEC, Marks, NewApiKey, NewClient, Registry, RegistryError, Revoked, SecretRecord,
    Snapshot, Use, registry_file,
};
pub use runner::{Job, RunError, Runner};
pub use stamp::Stamp;
pub use tally::Tally;
pub use web::{WebAnswer, WebRequest};

/// A boxed future, so that the traits can be used as objects.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
