//! libFuzzer's entry to the target `proxy`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| msp_fuzz::run("proxy", data));
