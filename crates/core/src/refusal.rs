//! Refusals: what each door has reasons of its own for, and the log and `msp-admin why` have in common.

use std::fmt::Display;

/// How loudly a refusal is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// What a function failed with: always logged, since whoever mends it needs every failure, and no stranger brings one
    /// about.
    Failure,
    /// Garbage and the like.
    Info,
    /// Something an operator may want to look at.
    Warning,
}

/// Why a request was refused, truly: for the log, the ring and `msp-admin why`, never for a stranger.
pub trait Refusal: Display {
    /// How loudly it is logged.
    fn severity(&self) -> Severity {
        Severity::Warning
    }
}
