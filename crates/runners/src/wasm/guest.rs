//! What the host knows of one call, and how much memory it may have.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use msp_core::clock::Clock;
use wasmi::{Engine, ResourceLimiter, Store};
use wasmi_core::{LimiterError, MemoryError, TableError};

/// Memory of one call, in bytes, when its function sets none.
pub(super) const DEFAULT: u64 = 64 * 1024 * 1024;
/// All that the calls under way hold together, in bytes.
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

impl Budget {
    /// False when there is not so much left.
    fn take(&self, more: usize) -> bool {
        let add = |all: usize| all.checked_add(more).filter(|all| *all <= ALL);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok()
    }

    fn give_back(&self, taken: usize) {
        self.0.fetch_sub(taken, Ordering::Relaxed);
    }
}

/// The memory of one call: memories and tables, and what is reserved for the rest of it.
#[derive(Debug)]
pub(super) struct Memory {
    budget: Arc<Budget>,
    /// Reserved until the call ends, in bytes; the limit of the call does not count this.
    reserved: usize,
    held: usize,
    limit: usize,
    /// What was granted last. The interpreter asks first and may yet fail to grow, as when its fuel does not
    /// suffice; then it asks again for the same in the next slice.
    granted: usize,
    /// True once the module is instantiated.
    instantiated: bool,
    /// True when memory was refused because all calls together hold too much.
    pub(super) short: bool,
}

impl Memory {
    /// At most so many bytes, beside those reserved. None when all calls together hold too much for these.
    pub(super) fn new(budget: Arc<Budget>, limit: u64, reserved: usize) -> Option<Self> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if !budget.take(reserved) {
            return None;
        }
        Some(Self { budget, reserved, held: 0, limit, granted: 0, instantiated: false, short: false })
    }

    /// From now on tables stay as large as they are: when fuel ends in `table.grow`, wasmi 2.0.0 forgets where
    /// it was, and would run some of the module twice.
    pub(super) const fn instantiated(&mut self) {
        self.instantiated = true;
    }

    fn take(&mut self, more: usize) -> bool {
        self.granted = 0;
        if more > self.limit.saturating_sub(self.held) {
            return false;
        }
        self.short = !self.budget.take(more);
        if !self.short {
            self.held += more;
            self.granted = more;
        }
        !self.short
    }

    /// What was granted last has not come about.
    fn give_back(&mut self) {
        let granted = std::mem::take(&mut self.granted);
        self.held -= granted;
        self.budget.give_back(granted);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.budget.give_back(self.held + self.reserved);
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

    fn memory_grow_failed(&mut self, _error: &MemoryError) -> Result<(), LimiterError> {
        self.give_back();
        Ok(())
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(!self.instantiated && self.take(desired.saturating_sub(current).saturating_mul(ELEMENT)))
    }

    fn table_grow_failed(&mut self, _error: &TableError) -> Result<(), LimiterError> {
        self.give_back();
        Ok(())
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
        let new = |limit| Memory::new(budget.clone(), limit, 0).unwrap();
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
        let mut memory = Memory::new(Arc::default(), 1024, 0).unwrap();
        assert!(memory.memory_growing(0, 512, None).unwrap());
        assert!(!memory.table_growing(0, 33, None).unwrap());
        assert!(memory.table_growing(0, 32, None).unwrap());
        assert!(!memory.memory_growing(512, 513, None).unwrap());
    }

    #[test]
    fn what_is_set_aside_counts_for_all_together_and_not_for_the_limit() {
        let budget = Arc::new(Budget::default());
        let mut first = Memory::new(budget.clone(), 1000, ALL - 1500).unwrap();
        assert!(first.take(1000));
        assert!(Memory::new(budget.clone(), 0, 501).is_none());
        let mut second = Memory::new(budget.clone(), 1000, 500).unwrap();
        assert!(!second.take(1) && second.short);
        drop(first);
        assert!(second.take(1));
        drop(second);
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_growth_that_fails_is_given_back_once() {
        let budget = Arc::new(Budget::default());
        let mut memory = Memory::new(budget.clone(), 1000, 0).unwrap();
        assert!(memory.memory_growing(0, 200, None).unwrap());
        for _ in 0..3 {
            assert!(memory.memory_growing(200, 800, None).unwrap());
            memory.memory_grow_failed(&MemoryError::OutOfFuel { required_fuel: 1 }).unwrap();
        }
        assert!(memory.table_growing(0, 50, None).unwrap());
        memory.table_grow_failed(&TableError::OutOfSystemMemory).unwrap();
        assert!(!memory.memory_growing(200, 1001, None).unwrap());
        memory.memory_grow_failed(&MemoryError::OutOfSystemMemory).unwrap();
        assert_eq!((memory.held, budget.0.load(Ordering::Relaxed)), (200, 200));
    }

    #[test]
    fn tables_of_an_instance_do_not_grow() {
        let mut memory = Memory::new(Arc::default(), 1024, 0).unwrap();
        assert!(memory.table_growing(0, 1, None).unwrap());
        memory.instantiated();
        assert!(!memory.table_growing(1, 2, None).unwrap());
        assert!(memory.memory_growing(0, 1, None).unwrap());
    }
}
