//! libFuzzer's entry to the target `body`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| msp_fuzz::run("body", data));
