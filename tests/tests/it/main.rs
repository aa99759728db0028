//! Tests that need more than one crate, or a child process to kill.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod crash;
#[cfg(unix)]
mod fleet;
mod house;
#[cfg(target_os = "linux")]
mod sqlite_faults;
#[cfg(unix)]
mod tenancy;
mod user;
