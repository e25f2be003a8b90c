#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| byom_preflight_fuzz::run(fuzz_checks::tokenizer, data));
