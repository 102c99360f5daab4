//! What the guard has to write to the registry.

use msp_core::KeptAhead;
use msp_protocol::{Digest, UnixSecond};

use crate::replay::ClientId;

/// What is to be made durable.
#[derive(Debug)]
pub(crate) enum Work {
    /// Raises the mark for all clients to this second at least.
    MarkAll(UnixSecond),
    /// Due until it is written, whether or not anybody still waits for it.
    Write(DueWrite),
    /// Comes after all work ordered before it.
    Then(Intervention),
}

/// What must be written sooner or later.
#[derive(Debug)]
pub(crate) enum DueWrite {
    /// Forgets what was kept as ahead with a time before this one.
    Forget(UnixSecond),
    /// Keeps requests whose time was ahead.
    Keep(Vec<KeptAhead>),
    /// Raises one client's mark to this second at least.
    MarkClient(ClientId, UnixSecond),
    /// Tries whether the registry can be written again.
    Probe,
}

/// What the server or its operator brings about.
#[derive(Debug)]
pub(crate) enum Intervention {
    /// Sets the mark to the highest second accepted; sent after nothing more is accepted.
    Close,
    /// Ends the secret that a client had before this one, and lowers the client's floor and mark.
    EndSecret { client: Digest, secret: Digest },
    /// Reads the marks anew.
    Reload,
    /// Lowers floor and mark to the clock.
    Reset,
}
