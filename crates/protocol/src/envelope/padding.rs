//! Sizes tell what is inside; spaces after the JSON leave only classes of them.

/// The smallest message, in bytes.
const LEAST: usize = 512;
/// From here on the classes are multiples of it and no powers of two.
const STEP: usize = 64 * 1024;

/// Pads with spaces to the next power of two, at least 512; above 64 KiB to the next multiple of 64 KiB.
pub(crate) fn pad(text: &mut Vec<u8>) {
    text.resize(padded_len(text.len()), b' ');
}

/// The padded size of a message of this size.
const fn padded_len(length: usize) -> usize {
    if length <= LEAST {
        LEAST
    } else if length <= STEP {
        length.next_power_of_two()
    } else {
        length.div_ceil(STEP) * STEP
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fall_into_classes() {
        let cases = [
            (0, 512),
            (512, 512),
            (513, 1024),
            (32_768, 32_768),
            (32_769, 65_536),
            (65_536, 65_536),
            (65_537, 131_072),
            (131_073, 196_608),
        ];
        for (length, padded) in cases {
            let mut text = vec![b'x'; length];
            pad(&mut text);
            assert_eq!(text.len(), padded);
        }
    }
}
