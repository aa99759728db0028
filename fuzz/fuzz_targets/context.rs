//! Contexts as JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| cloacina_fuzz::check_context(input));
