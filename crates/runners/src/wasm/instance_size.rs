//! The size of a module's instance beside its memory and tables.

/// Bytes of one function, global, export and the like, with what finds it again.
const ENTITY: usize = 192;
/// Bytes that one byte of the section of elements becomes: each may name a function.
const ELEMENT: usize = 16;
/// What comes before the first section.
const HEADER: usize = 8;

/// An upper bound, in bytes, for what each instance of this module has of its own, from the numbers that its
/// sections begin with. None when it is no sequence of sections, which no module that compiles is.
///
/// The interpreter does not tell, and its own limits would refuse large programs.
pub(super) fn instance_size(module: &[u8]) -> Option<usize> {
    let mut rest = module.get(HEADER..)?;
    let mut size = 0usize;
    while let Some((id, after)) = rest.split_first() {
        let (length, after) = number(after)?;
        let (section, after) = after.split_at_checked(length)?;
        rest = after;
        let own = match id {
            // Imports, functions, tables, memories, globals, and pieces of data, whose bytes are shared.
            2..=6 | 11 => number(section)?.0.saturating_mul(ENTITY),
            // Exports, which are kept by their names.
            7 => number(section)?.0.saturating_mul(ENTITY).saturating_add(length),
            9 => number(section)?.0.saturating_mul(ENTITY).saturating_add(length.saturating_mul(ELEMENT)),
            _ => 0,
        };
        size = size.saturating_add(own);
    }
    Some(size)
}

/// A number as WebAssembly writes it, seven bits in a byte, and what follows.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size_of(text: &str) -> usize {
        instance_size(&wat::parse_str(text).unwrap()).unwrap()
    }

    #[test]
    fn what_an_instance_has_of_its_own_counts_and_what_it_shares_does_not() {
        assert_eq!(size_of("(module)"), 0);
        assert_eq!(size_of("(module (func) (func) (global i32 (i32.const 1)))"), 3 * ENTITY);
        let exports = size_of(r#"(module (func (export "a-name")) (func))"#);
        assert!((3 * ENTITY + 6..3 * ENTITY + 20).contains(&exports), "{exports}");
        let code =
            format!("(module (func {}) (memory 1) (data \"{}\"))", "nop ".repeat(999), "x".repeat(999));
        assert_eq!(size_of(&code), 3 * ENTITY);
        let elements = size_of(&format!("(module (func $f) (elem func {}))", "$f ".repeat(999)));
        assert!(elements > 2 * ENTITY + 999 * ELEMENT, "{elements}");
        let many = size_of(&format!("(module {})", "(func)".repeat(300)));
        assert_eq!(many, 300 * ENTITY);
    }

    #[test]
    fn what_is_no_module_has_no_weight() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0\x03", b"\0asm\x01\0\0\0\x03\x05\x01"] {
            assert_eq!(instance_size(bytes), None, "{bytes:?}");
        }
        assert_eq!(number(&[0xff; 9]), None);
        assert_eq!(number(&[0x80, 0x80, 0x80, 0x80, 0x01, 7]), Some((1 << 28, &[7][..])));
    }
}
