//! What the operating system tells of this process (`/proc`, see proc(5)); nothing elsewhere than on Linux.

use std::fs;
use std::time::Duration;

/// The clock ticks of `/proc/self/stat` in a second, which Linux has fixed for user space.
const TICKS: u32 = 100;

/// How much memory is resident, in bytes.
pub(crate) fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// How long the process has kept processors busy.
pub(crate) fn cpu() -> Option<Duration> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program comes before, and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let ticks: u32 = fields.next()?.parse::<u32>().ok()? + fields.next()?.parse::<u32>().ok()?;
    Some(Duration::from_secs(1) * ticks / TICKS)
}
