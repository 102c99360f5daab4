//! A module's memory as host functions see it: each access is checked and counted.

use std::cell::Cell;

/// WASI's error numbers, as far as they are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Errno {
    /// No such descriptor.
    BadDescriptor,
    /// An address outside of memory.
    Fault,
    /// An argument that may not be.
    Invalid,
    /// The system gave no random bytes.
    Io,
    /// A stream cannot be sought in.
    Pipe,
}

impl Errno {
    pub(super) const fn code(self) -> u32 {
        match self {
            Self::BadDescriptor => 8,
            Self::Fault => 21,
            Self::Invalid => 28,
            Self::Io => 29,
            Self::Pipe => 70,
        }
    }
}

/// The most buffers of one read or write, and the most events that are waited for at once.
const MANY: u32 = 1024;

/// Fuel of one access with all that is done about it.
const ACCESS: u64 = 25;
/// Bytes that are copied for one more fuel.
const COPIED: usize = 16;

/// The bytes of a module's memory; each access is checked, and counted as fuel.
pub(super) struct MemoryView<'a> {
    bytes: &'a mut [u8],
    /// So far.
    fuel: Cell<u64>,
}

impl<'a> MemoryView<'a> {
    pub(super) const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, fuel: Cell::new(0) }
    }

    /// The fuel of all accesses. They are counted here so that no host function can do much for little.
    pub(super) const fn fuel(&self) -> u64 {
        self.fuel.get()
    }

    fn count(&self, length: usize) {
        let copying = u64::try_from(length / COPIED).unwrap_or(u64::MAX);
        self.fuel.set(self.fuel.get().saturating_add(ACCESS).saturating_add(copying));
    }

    /// The length of a text that is short.
    pub(super) fn length(text: &str) -> u32 {
        u32::try_from(text.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn bytes(&self, at: u32, length: u32) -> Result<&[u8], Errno> {
        let (from, to) = range(at, length)?;
        let bytes = self.bytes.get(from..to).ok_or(Errno::Fault)?;
        self.count(bytes.len());
        Ok(bytes)
    }

    pub(super) fn bytes_mut(&mut self, at: u32, length: u32) -> Result<&mut [u8], Errno> {
        // Counts as well.
        self.bytes(at, length)?;
        let (from, to) = range(at, length)?;
        self.bytes.get_mut(from..to).ok_or(Errno::Fault)
    }

    pub(super) fn array<const N: usize>(&self, at: u32) -> Result<[u8; N], Errno> {
        self.count(N);
        let bytes = usize::try_from(at).ok().and_then(|at| self.bytes.get(at..)?.first_chunk());
        bytes.copied().ok_or(Errno::Fault)
    }

    pub(super) fn write(&mut self, at: u32, bytes: &[u8]) -> Result<(), Errno> {
        let length = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.bytes_mut(at, length)?.copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    pub(super) fn write_u64(&mut self, at: u32, value: u64) -> Result<(), Errno> {
        self.write(at, &value.to_le_bytes())
    }

    /// The addresses and lengths of a list of buffers.
    pub(super) fn vectors(&self, list: u32, count: u32) -> Result<Vec<(u32, u32)>, Errno> {
        let vector = |at| {
            let [a, b, c, d, e, f, g, h] = self.array(at)?;
            Ok((u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])))
        };
        records(list, count, 8)?.map(vector).collect()
    }
}

/// The addresses of so many records of this size in a row.
pub(super) fn records(list: u32, count: u32, size: u32) -> Result<impl Iterator<Item = u32>, Errno> {
    if count > MANY {
        return Err(Errno::Invalid);
    }
    // One that saturates lies outside of memory.
    Ok((0..count).map(move |index| list.saturating_add(index * size)))
}

fn range(at: u32, length: u32) -> Result<(usize, usize), Errno> {
    let from = usize::try_from(at).map_err(|_| Errno::Fault)?;
    let length = usize::try_from(length).map_err(|_| Errno::Fault)?;
    Ok((from, from.checked_add(length).ok_or(Errno::Fault)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_of_memory_is_read_or_written() {
        let mut memory = [0; 16];
        let mut view = MemoryView::new(&mut memory);
        assert_eq!(view.write_u64(8, u64::MAX), Ok(()));
        assert_eq!(view.bytes(12, 4), Ok(&[0xff; 4][..]));
        for at in [9, 16, 17, u32::MAX] {
            assert_eq!(view.write_u64(at, 0), Err(Errno::Fault), "{at}");
            assert_eq!(view.array::<8>(at), Err(Errno::Fault), "{at}");
        }
        assert_eq!(view.bytes(1, u32::MAX), Err(Errno::Fault));
        assert_eq!(view.bytes(16, 0), Ok(&[][..]));
    }

    #[test]
    fn lists_are_bounded_and_stay_inside() {
        let mut memory = [0; 16];
        memory[0] = 3;
        memory[12] = 5;
        let view = MemoryView::new(&mut memory);
        assert_eq!(view.vectors(0, 2), Ok(vec![(3, 0), (0, 5)]));
        assert_eq!(view.vectors(0, 3), Err(Errno::Fault));
        assert_eq!(view.vectors(0, MANY + 1), Err(Errno::Invalid));
        assert_eq!(view.vectors(u32::MAX - 4, 2), Err(Errno::Fault));
    }
}
