//! Tests that need more than one crate, or a child process to kill.

mod crash;
mod house;
