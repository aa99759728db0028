//! The SQLite back end.

mod conformance_suite;
