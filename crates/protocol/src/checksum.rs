//! CRC-32 and the classic shape's integers.

/// CRC-32 (IEEE 802.3, as zlib computes it).
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}
