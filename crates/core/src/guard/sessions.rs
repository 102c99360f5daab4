//! Who is logged in: tokens of the RPC door and sessions of pages, by the digest of what stands for them.

use std::time::Duration;

use msp_protocol::{Digest, UnixSecond};
use serde::{Deserialize, Serialize};

use crate::soon::Soon;

/// What a session is held by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionKind {
    /// A cookie of a page.
    Page,
    /// A token of the RPC door, which REST takes too.
    Token,
}

/// Who is logged in, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// What stands for the user.
    pub user: Digest,
    /// The user's epoch when it began; it counts only as long as the user has the same.
    pub epoch: u64,
    /// What it is held by.
    pub kind: SessionKind,
    /// When it began.
    pub since: UnixSecond,
}

/// How long a session lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// Since its last use.
    pub idle: Duration,
    /// Since its beginning; none: as long as it is used.
    pub whole: Option<Duration>,
}

/// There are as many sessions as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are as many sessions as there may be")]
pub struct TooManySessions;

/// The sessions there are at one time of all users.
pub const MAX_SESSIONS: usize = 100_000;
/// The sessions there are at one time of one user; one more ends the one unused for longest.
pub const MAX_SESSIONS_OF_USER: usize = 64;

/// Sessions by the digest (SHA-256) of the token or cookie that stands for them. What has ended is as what never was.
pub trait Sessions: Send + Sync {
    /// Begins one.
    fn create<'a>(
        &'a self,
        id: &'a Digest,
        session: Session,
        lifetime: Lifetime,
    ) -> Soon<'a, Result<(), TooManySessions>>;
    /// The session, without any effect on its end.
    fn find<'a>(&'a self, id: &'a Digest) -> Soon<'a, Option<Session>>;
    /// The session, which is used and lasts on.
    fn touch<'a>(&'a self, id: &'a Digest) -> Soon<'a, Option<Session>>;
    /// Ends one; false when there is none.
    fn end<'a>(&'a self, id: &'a Digest) -> Soon<'a, bool>;
    /// Ends all of a user but one, and says how many that were.
    fn end_all_of<'a>(&'a self, user: &'a Digest, but: Option<&'a Digest>) -> Soon<'a, usize>;
    /// The sessions of a user, each with how long ago it was used, the last used first.
    fn all_of<'a>(&'a self, user: &'a Digest) -> Soon<'a, Vec<(Session, Duration)>>;
}
