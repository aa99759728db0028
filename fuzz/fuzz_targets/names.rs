//! Names of tenants and schemas, and ids of executions.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| cloacina_fuzz::check_names(input));
