//! The kept inputs and mutations of them, through every target.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

/// Mutations of a target whose checks take microseconds.
const MANY: u32 = 20_000;
/// Those of one that multiplies points on the curve.
const FEW: u32 = 500;

/// The inputs written by hand, each named after what it is, and those that coverage has found.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let folders =
        ["seeds", "corpus"].map(|kind| Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target));
    let files = folders.into_iter().flat_map(|folder| folder.read_dir().unwrap());
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

/// One change of the bytes at a place.
#[derive(Debug, Clone)]
enum Change {
    Bytes(Vec<u8>),
    Insert(Vec<u8>),
    Remove(u8),
    Repeat(u8),
}

fn any_change() -> impl Strategy<Value = (Index, Change)> {
    let marks: &[&[u8]] =
        &[b"{", b"}", b"[[", b"\"", b"\\u0000", b",", b":", b"=", b"\n", b"%%", b"\xff", b"1e9"];
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..9),
        prop::sample::select(marks).prop_map(<[u8]>::to_vec),
    ];
    let change = prop_oneof![
        bytes.clone().prop_map(Change::Bytes),
        bytes.prop_map(Change::Insert),
        any::<u8>().prop_map(Change::Remove),
        any::<u8>().prop_map(Change::Repeat),
    ];
    (any::<Index>(), change)
}

fn apply(data: &mut Vec<u8>, (place, change): &(Index, Change)) {
    let from = place.index(data.len() + 1);
    let end = |count: usize| data.len().min(from + count);
    let (range, new) = match change {
        Change::Bytes(bytes) => (from..end(bytes.len()), bytes.clone()),
        Change::Insert(bytes) => (from..from, bytes.clone()),
        Change::Remove(count) => (from..end((*count).into()), Vec::new()),
        Change::Repeat(count) => (from..from, data[from..end((*count).into())].to_vec()),
    };
    data.splice(range, new);
}

fn check(target: &str, cases: u32) {
    let cases = std::env::var("MSP_MUTATIONS").map_or(cases, |count| count.parse().unwrap());
    let inputs = inputs(target);
    inputs.iter().for_each(|data| msp_fuzz::run(target, data));
    let mutated = (prop::sample::select(inputs), prop::collection::vec(any_change(), 1..6));
    let mutated = mutated.prop_map(|(mut data, changes)| {
        changes.iter().for_each(|change| apply(&mut data, change));
        data
    });
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let checked = TestRunner::new(config).run(&mutated, |data| {
        msp_fuzz::run(target, &data);
        Ok(())
    });
    checked.unwrap();
}

/// A test for each target, and one that none is left out.
macro_rules! targets {
    ($($name:ident: $cases:expr,)+) => {
        $(#[test]
        fn $name() {
            check(stringify!($name), $cases);
        })+

        #[test]
        fn every_target_is_run() {
            assert_eq!(msp_fuzz::TARGETS.map(|(name, _)| name), [$(stringify!($name)),+]);
        }
    };
}
targets! {
    body: MANY,
    classic: MANY,
    envelope_answer: MANY,
    envelope_message: MANY,
    envelope_seal: FEW,
    frames: MANY,
    ini: MANY,
    proxy: MANY,
}
