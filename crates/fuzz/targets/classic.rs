//! libFuzzer's entry to the target `classic`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| msp_fuzz::run("classic", data));
