//! Tests that need more than one crate, and the README as doc tests.
