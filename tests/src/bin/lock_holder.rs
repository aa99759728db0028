//! Holds the write lock of a SQLite file until its standard input ends: `lock_holder DATABASE`. Meant to be killed.

use std::path::PathBuf;

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = std::env::args_os().skip(1).map(PathBuf::from);
    cloacina_tests::faults::hold_write_lock(arguments).await
}

#[cfg(not(target_os = "linux"))]
fn main() {}
