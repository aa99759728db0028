//! Workflows of the WfCommons project, plain or gzipped.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| cloacina_fuzz::check_wf(input));
