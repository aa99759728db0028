//! What the operating system tells of processes (`/proc`, see proc(5)); nothing elsewhere than on Linux.

use std::fs;
use std::path::Path;
use std::time::Duration;

/// The clock ticks of `/proc/<pid>/stat` in a second, which Linux has fixed for user space.
const TICKS: f64 = 100.0;

/// How much memory is resident, in bytes.
pub(crate) fn resident() -> Option<u64> {
    status("VmRSS:")
}

/// How much memory was resident at most since `forget_peak`, or since the start where that cannot be done, in bytes.
pub(crate) fn peak() -> Option<u64> {
    status("VmHWM:")
}

/// Lets the peak start anew from what is resident now.
pub(crate) fn forget_peak() {
    // Some systems forbid it; then the peak is that of the whole process.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// How many bytes this process has handed to the operating system to write, in calls that write to files.
pub(crate) fn written() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("wchar:"))?.trim().parse().ok()
}

/// How long this process has kept processors busy.
pub(crate) fn cpu() -> Option<Duration> {
    Some(seconds(Stat::read("self")?.own))
}

/// How long a process and those that it has started have kept processors busy, those included that have ended.
pub(crate) fn cpu_with_children(pid: u32) -> Option<Duration> {
    let parent = Stat::read(&pid.to_string())?;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let names = processes.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let numbers = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let children = numbers.filter_map(|name| Stat::read(&name)).filter(|stat| stat.parent == pid);
    Some(seconds(
        parent.own + parent.ended + children.map(|stat| stat.own + stat.ended).sum::<u64>(),
    ))
}

/// Finds the process that has started one.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    Stat::read(&pid.to_string()).map(|stat| stat.parent)
}

/// Finds what kind of file system holds a folder.
pub(crate) fn file_system(folder: &Path) -> Option<String> {
    let folder = fs::canonicalize(folder).ok()?;
    kind(&fs::read_to_string("/proc/mounts").ok()?, &folder)
}

fn kind(mounts: &str, folder: &Path) -> Option<String> {
    let fields = mounts.lines().map(|line| line.split(' '));
    let mounts = fields.filter_map(|mut fields| Some((fields.nth(1)?, fields.next()?)));
    let above = mounts.filter(|(place, _)| folder.starts_with(place));
    // Of two at one place the later one hides the other.
    above.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind.to_owned())
}

fn seconds(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / TICKS)
}

/// Parts of `/proc/<pid>/stat`; times in ticks.
#[derive(Debug, PartialEq)]
struct Stat {
    parent: u32,
    own: u64,
    /// Of its children that have ended.
    ended: u64,
}

impl Stat {
    fn read(process: &str) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name of the program comes before, and may hold anything.
        let (_, fields) = stat.rsplit_once(") ")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<u64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11)? + ticks(12)?,
            ended: ticks(13)? + ticks(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_program_may_hold_anything() {
        let line = "7 (a) b (c) S 3 7 7 0 -1 0 9 9 9 9 11 12 13 14 20 0 1 0 5 0 0";
        assert_eq!(Stat::parse(line), Some(Stat { parent: 3, own: 23, ended: 27 }));
        assert_eq!(Stat::parse("7 (a) S"), None);
    }

    #[test]
    fn the_innermost_mount_holds_a_folder() {
        let mounts = "/dev/vda / ext4 rw 0 0\ntmpfs /tmp tmpfs rw 0 0\ntmpfs /tm xfs rw 0 0\n";
        let kind = |folder: &str| kind(mounts, Path::new(folder));
        assert_eq!(kind("/home/me").as_deref(), Some("ext4"));
        assert_eq!(kind("/tmp/x").as_deref(), Some("tmpfs"));
    }
}
