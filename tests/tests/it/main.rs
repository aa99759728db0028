//! Tests that need more than one crate, or a child process to kill.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

#[cfg(unix)]
mod bad_input;
mod crash;
mod docs;
#[cfg(unix)]
mod fleet;
mod guide;
mod house;
mod mutations;
mod overload;
#[cfg(target_os = "linux")]
mod sqlite_faults;
#[cfg(unix)]
mod tenancy;
mod upgrade;
mod user;
