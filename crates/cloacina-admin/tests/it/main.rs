//! Tenants on real servers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod lifecycle;
mod support;
