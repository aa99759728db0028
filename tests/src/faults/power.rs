//! Power failure, from outside: the file set as it may be found afterwards.
//!
//! All that write stand still while the database and its log are copied, so that the copy is of one moment between two
//! writes. What a failing power may take from it follows from what SQLite does with `synchronous=FULL`, in this order:
//!
//! 1. A commit appends frames to the log, syncs the log, and only then publishes in the `-shm` how many frames are valid.
//!    So what is published is on the disk, and any part of what follows may be missing.
//! 2. A checkpoint notes in the `-shm` how far it will go, syncs the log, copies pages into the database, and syncs that.
//!    So pages of the database are never newer than the log on the disk up to that note.
//! 3. The log is begun anew, with new salts, only when all of it is in the database and synced. So a log of other salts
//!    than the published ones is whole, and not needed.
//!
//! Hence the log may be cut anywhere behind what is published, and whatever is kept behind that may have holes. It may also be
//! cut where it stood at an earlier [`Position`], if no checkpoint has gone beyond: that is the disk as it was then.
//!
//! Whether FULL does sync is taken for granted here; [`LoopDisk`](super::LoopDisk) does not.

use std::fs::{self, File};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use fastrand::Rng;

use super::{freeze, run};

/// The header of the log, and of each frame.
const LOG_HEADER: u64 = 32;
const FRAME_HEADER: u64 = 24;

/// What a disk writes whole.
const SECTOR: u64 = 512;
const LOST: [u8; 512] = [0; 512];

/// As much of the `-shm` as is read: both copies of the header, and the state of checkpoints.
const INDEX: usize = 136;

/// How often a header that is just being written is read again.
const TRIES: usize = 1000;

/// How far the log was durable at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Tells the logs of a database apart, of which one follows the other in one file.
    salts: [u8; 8],
    /// Bytes of the log that are durable.
    pub durable: u64,
    /// Bytes of the log that a checkpoint may have brought into the database.
    checkpointed: u64,
    frame: u64,
}

impl Position {
    /// Looks how far the log of a database in use is durable.
    ///
    /// # Errors
    ///
    /// What the system says; a database that nobody has open.
    pub fn look(database: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            let mut head = Command::new("head");
            let head = head.args(["-c", &INDEX.to_string()]).arg(beside(database, "-shm"));
            if let Some(position) = Self::read(&run(head)?.stdout) {
                return Ok(position);
            }
        }
        Err(io::Error::other(format!("{} has no valid index", database.display())))
    }

    /// Reads the beginning of a `-shm`. `None` if it is being written.
    fn read(index: &[u8]) -> Option<Self> {
        let (first, second) = (index.get(..48)?, index.get(48..96)?);
        let number = |at: usize| {
            let bytes = index.get(at..at + 4)?.try_into().ok()?;
            Some(u64::from(u32::from_ne_bytes(bytes)))
        };
        if first != second || first[12] == 0 {
            return None;
        }
        let page = match u16::from_ne_bytes([first[14], first[15]]) {
            // There is no room for 65,536.
            1 => 65_536,
            size => u64::from(size),
        };
        let frame = page + FRAME_HEADER;
        let bytes = |frames: u64| if frames == 0 { 0 } else { LOG_HEADER + frames * frame };
        Some(Self {
            salts: first[32..40].try_into().ok()?,
            durable: bytes(number(16)?),
            checkpointed: bytes(number(128)?),
            frame,
        })
    }
}

/// A copy of a database and its log, at one moment, in a folder of its own.
#[derive(Debug)]
pub struct Snapshot {
    database: PathBuf,
    position: Position,
}

/// Copies a database with its log into a folder. The processes, who are all that write to it, stand still meanwhile.
///
/// # Errors
///
/// What the system says.
pub fn snapshot(database: &Path, pids: &[u32], into: &Path) -> io::Result<Snapshot> {
    for _ in 0..TRIES {
        let frozen = freeze(pids)?;
        let files = ["", "-wal", "-shm"].map(|ending| beside(database, ending));
        run(Command::new("cp").args(files).arg(into))?;
        drop(frozen);
        let database = into.join(database.file_name().unwrap_or_default());
        let index = beside(&database, "-shm");
        let position = Position::read(&fs::read(&index)?);
        // It does not outlive a power failure.
        fs::remove_file(&index)?;
        if let Some(position) = position {
            return Ok(Snapshot { database, position });
        }
    }
    Err(io::Error::other(format!("{} has no valid index", database.display())))
}

/// Fails the power: copies a database into a folder as it may be found afterwards, and returns the path of the copy. All that
/// was acknowledged when this was called must be in it, and whatever is in it must be whole.
///
/// # Errors
///
/// What the system says.
pub fn fail(database: &Path, pids: &[u32], into: &Path, random: &mut Rng) -> io::Result<PathBuf> {
    let snapshot = snapshot(database, pids, into)?;
    snapshot.lose_tail(snapshot.position, random)?;
    Ok(snapshot.database)
}

impl Snapshot {
    /// Returns the path of the copied database.
    #[must_use]
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Returns how far the log was durable.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// Lets the log lose a part of what was written after a position, perhaps all, perhaps pieces in the middle. Returns how
    /// many bytes were written after it, and how many of these are left; `None` if the log has been begun anew since, or a
    /// checkpoint has gone beyond: then nothing is changed, since the disk was never like that.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn lose_tail(&self, after: Position, random: &mut Rng) -> io::Result<Option<(u64, u64)>> {
        let is_reachable =
            after.salts == self.position.salts && after.durable >= self.position.checkpointed;
        let log = fs::read(self.log())?;
        if !is_reachable || log.get(16..24).is_none_or(|salts| salts != self.position.salts) {
            return Ok(None);
        }
        let end = self.end_of_log(&log, after.durable);
        let cut = random.u64(after.durable..=end);
        let file = File::options().write(true).open(self.log())?;
        file.set_len(cut)?;
        if random.bool() {
            punch(file, after.durable, cut, random)?;
        }
        Ok(Some((end - after.durable, cut - after.durable)))
    }

    /// Cuts the log off at a byte, wherever that is. On what was durable, this is what no disk may do.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn cut(&self, at: u64) -> io::Result<()> {
        File::options().write(true).open(self.log())?.set_len(at)
    }

    /// Finds where what was written to this log ends; behind it may be the rest of an earlier one.
    fn end_of_log(&self, log: &[u8], from: u64) -> u64 {
        let mut end = from.max(LOG_HEADER);
        let salts = |at: u64| {
            let at = usize::try_from(at).ok()?;
            log.get(at + 8..at + 16)
        };
        while salts(end) == Some(&self.position.salts[..]) {
            end += self.position.frame;
        }
        end.min(log.len() as u64)
    }

    fn log(&self) -> PathBuf {
        beside(&self.database, "-wal")
    }
}

/// Loses some of the sectors between two bytes.
fn punch(mut file: File, from: u64, to: u64, random: &mut Rng) -> io::Result<()> {
    let mut at = from.next_multiple_of(SECTOR);
    while at + SECTOR <= to {
        if random.u8(..4) == 0 {
            file.seek(SeekFrom::Start(at))?;
            file.write_all(&LOST)?;
        }
        at += SECTOR;
    }
    Ok(())
}

/// Returns the path of a file beside the database.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    path.into()
}
