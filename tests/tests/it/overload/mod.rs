//! Too much work, and tasks that take more than is theirs.

mod blocked;
#[cfg(target_os = "linux")]
mod flood;
