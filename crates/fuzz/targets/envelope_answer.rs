//! libFuzzer's entry to the target `envelope_answer`.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| msp_fuzz::run("envelope_answer", data));
