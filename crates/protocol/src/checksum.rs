//! CRC-32 and the classic shape's integers.

use crate::error::DecodeError;

/// CRC-32 (IEEE 802.3, as zlib computes it).
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Writes an integer big-endian in the least number of bytes; zero is the empty string.
#[must_use]
pub fn least_bytes(value: u64) -> Vec<u8> {
    value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

/// Reads a big-endian integer with any number of leading zero bytes.
///
/// # Errors
/// [`DecodeError::IntegerRange`] when more than 8 bytes matter.
pub fn from_bytes(bytes: &[u8]) -> Result<u64, DecodeError> {
    let significant = bytes.iter().skip_while(|byte| **byte == 0);
    if significant.clone().count() > 8 {
        return Err(DecodeError::IntegerRange);
    }
    Ok(significant.fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_point_05_leading_zero_bytes_are_accepted_and_forty_bytes_refused() {
        assert_eq!(least_bytes(0x0098_7aec), [0x98, 0x7a, 0xec]);
        assert!(least_bytes(0).is_empty());
        assert_eq!(from_bytes(&[0, 0, 0, 0, 0, 0x98, 0x7a, 0xec]), Ok(0x0098_7aec));
        assert_eq!(from_bytes(&[0; 40]), Ok(0));
        assert_eq!(from_bytes(&[0xff; 8]), Ok(u64::MAX));
        assert_eq!(from_bytes(&[1; 9]), Err(DecodeError::IntegerRange));
        assert_eq!(from_bytes(&[1; 40]), Err(DecodeError::IntegerRange));
    }
}
