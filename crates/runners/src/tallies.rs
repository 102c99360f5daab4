//! The tallies of functions, which outlive what a function is made of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use msp_core::Tally;
use msp_protocol::FunctionName;

/// The tallies of all functions that there ever were, by name.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<BTreeMap<FunctionName, Arc<Tally>>>);

impl Tallies {
    /// That of this one, whatever it was made of before.
    pub(crate) fn of(&self, name: &FunctionName) -> Arc<Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default().clone()
    }
}
