//! What the readers of foreign bytes must hold, checked on any input.
//!
//! Each target takes any bytes and panics when a property is broken. `util/fuzz` lets libFuzzer look for such bytes,
//! guided by coverage; the tests of this crate run the kept inputs and mutations of them through the same functions.
#![expect(clippy::panic, reason = "a broken property is told by a panic")]

mod body;
mod classic;
mod envelope;
mod frames;
mod ini;
mod input;
mod parties;
mod proxy;
mod tree;

/// A target: its name, as that of its folders in `seeds` and `corpus`, and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("body", body::check),
    ("classic", classic::check),
    ("envelope_answer", envelope::check_answer),
    ("envelope_message", envelope::check_message),
    ("envelope_seal", envelope::check_seal),
    ("frames", frames::check),
    ("ini", ini::check),
    ("proxy", proxy::check),
];

/// Runs one target.
///
/// # Panics
/// When there is no such target, or when a property does not hold.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let Some((_, check)) = target else { panic!("no target {name}") };
    check(data);
}

/// Runs a reader and holds the memory it takes at once against the size of what it reads.
///
/// The densest JSON is `[[0],[0],…]` and `{"":0}`: a list or map of their least size for a few bytes.
fn bounded<T>(input: &[u8], reader: impl FnOnce() -> T) -> T {
    let mut read = None;
    let most = allocation_counter::measure(|| read = Some(reader())).bytes_max;
    let allowed = 64 * 1024 + 128 * input.len() as u64;
    assert!(most <= allowed, "{most} bytes of memory for {} bytes of input", input.len());
    let Some(read) = read else { panic!("it did not run") };
    read
}
