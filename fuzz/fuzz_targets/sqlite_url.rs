//! Addresses of SQLite files.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| cloacina_fuzz::check_sqlite_url(input));
