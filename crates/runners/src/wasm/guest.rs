//! What the host knows of one call, and how much memory it may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use msp_core::clock::Clock;
use wasmi::{Engine, ResourceLimiter, Store};
use wasmi_core::LimiterError;

/// Memory of one call, in bytes, when its function sets none.
pub(super) const DEFAULT: u64 = 64 * 1024 * 1024;
/// Memory of all calls under way together, in bytes.
const ALL: usize = 1024 * 1024 * 1024;
/// What an element of a table takes, in bytes.
const ELEMENT: usize = 16;

/// One call as its module's host sees it.
pub(super) struct Guest {
    /// The function's name, its only argument.
    pub(super) name: String,
    /// Standard input.
    pub(super) input: Vec<u8>,
    /// How much of it has been read.
    pub(super) taken: usize,
    /// Standard output so far.
    pub(super) answer: Vec<u8>,
    /// The most it may hold.
    pub(super) max_output: usize,
    /// What is on its way to standard error.
    pub(super) printed: Vec<u8>,
    pub(super) memory: Memory,
    pub(super) clock: Arc<dyn Clock>,
}

impl Guest {
    /// A function of this name with this on its standard input.
    pub(super) fn new(
        name: &str,
        input: Vec<u8>,
        max_output: usize,
        memory: Memory,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let name = name.to_owned();
        Self { name, input, taken: 0, answer: Vec::new(), max_output, printed: Vec::new(), memory, clock }
    }

    /// The store that this call's instance lives in.
    pub(super) fn into_store(self, engine: &Engine) -> Store<Self> {
        let mut store = Store::new(engine, self);
        store.limiter(|guest| &mut guest.memory);
        store
    }
}

/// What all calls under way hold together.
#[derive(Debug, Default)]
pub(crate) struct Budget(AtomicUsize);

/// The memory of one call: memories and tables.
#[derive(Debug)]
pub(super) struct Memory {
    budget: Arc<Budget>,
    held: usize,
    limit: usize,
    /// True when it was refused for the sake of all.
    pub(super) short: bool,
}

impl Memory {
    /// Nothing yet, and at most so many bytes.
    pub(super) fn new(budget: Arc<Budget>, limit: u64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { budget, held: 0, limit, short: false }
    }

    fn take(&mut self, more: usize) -> bool {
        if more > self.limit.saturating_sub(self.held) {
            return false;
        }
        let add = |all: usize| all.checked_add(more).filter(|all| *all <= ALL);
        self.short = self.budget.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_err();
        if !self.short {
            self.held += more;
        }
        !self.short
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.held, Ordering::Relaxed);
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(self.take(desired.saturating_sub(current)))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(self.take(desired.saturating_sub(current).saturating_mul(ELEMENT)))
    }

    fn instances(&self) -> usize {
        1
    }

    fn tables(&self) -> usize {
        100
    }

    fn memories(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_its_limit_and_all_together_theirs() {
        let budget = Arc::new(Budget::default());
        let new = |limit| Memory::new(budget.clone(), limit);
        let mut small = new(1000);
        assert!(small.take(1000) && !small.take(1) && !small.short);
        let mut large = new(u64::MAX);
        assert!(!large.take(ALL - 999) && large.short);
        assert!(large.take(ALL - 1000) && !large.short);
        drop(small);
        assert!(large.take(1000));
        drop(large);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn tables_count_as_well() {
        let mut memory = Memory::new(Arc::default(), 1024);
        assert!(memory.memory_growing(0, 512, None).unwrap());
        assert!(!memory.table_growing(0, 33, None).unwrap());
        assert!(memory.table_growing(0, 32, None).unwrap());
        assert!(!memory.memory_growing(512, 513, None).unwrap());
    }
}
