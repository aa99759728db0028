//! Durations as the macros read them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| cloacina_fuzz::check_duration(input));
