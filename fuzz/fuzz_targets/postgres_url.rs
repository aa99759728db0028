//! Addresses of PostgreSQL databases.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| cloacina_fuzz::check_postgres_url(input));
