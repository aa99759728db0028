//! Remembers when this handle could not write, so that nobody is declared dead for not having written then.
//!
//! While another process holds the write lock, or the disk is full, all leases run out. The first to get through must not bury
//! the others, who are about to: a lease that ran out in such a time proves nothing until its owner had the time to renew it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, later};

/// A machine that is busy may take so long.
const USUAL: Duration = Duration::from_millis(500);

/// All times are in microseconds since 1970, as leases are.
#[derive(Debug, Default)]
pub(crate) struct Strain {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    /// How long the leases are; nothing is a strain where there are none.
    lease: Option<Duration>,
    /// When something was last written.
    written: Option<i64>,
    /// When it was first tried since.
    tried: Option<i64>,
    /// The last time without writing: from the last write before it, until it was over.
    strain: Option<(i64, i64)>,
}

impl Strain {
    /// Notes how long the leases are. Others have leases like this handle's own.
    pub(crate) fn note_lease(&self, lease: Duration) {
        self.seen().lease = Some(lease);
    }

    /// Notes that a write is tried.
    pub(crate) fn tries(&self, clock: Clock) {
        self.seen().tried.get_or_insert(clock.now());
    }

    /// Notes that the write lock was obtained.
    pub(crate) fn has_lock(&self, clock: Clock) {
        let mut seen = self.seen();
        let (Some(lease), Some(tried)) = (seen.lease, seen.tried) else { return };
        let now = clock.now();
        if now < later(tried, (lease / 4).max(USUAL)) {
            return;
        }
        let written = seen.written.unwrap_or(i64::MIN);
        // One that follows soon is the same: not everybody has got through in between.
        let began = match seen.strain {
            Some((began, ended)) if written < later(ended, grace(lease)) => began,
            _ => written,
        };
        seen.strain = Some((began, now));
    }

    /// Notes that something was written.
    pub(crate) fn has_written(&self, clock: Clock) {
        let mut seen = self.seen();
        (seen.written, seen.tried) = (Some(clock.now()), None);
    }

    /// Reports whether a lease that ran out may be that of a worker that lives and has not got through yet.
    pub(crate) fn excuses(&self, expires_at: i64, clock: Clock) -> bool {
        let seen = self.seen();
        let (Some(lease), Some((began, ended))) = (seen.lease, seen.strain) else { return false };
        began <= expires_at && clock.now() < later(ended, grace(lease))
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long it takes until everybody has got through: a heartbeat that failed is repeated after a third of the lease.
fn grace(lease: Duration) -> Duration {
    (lease / 2).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn at(second: i64) -> Clock {
        Clock::at_micros(second * 1_000_000)
    }

    /// One that wrote at 100, and got through at `end` to what it tried at `begin`.
    fn strained(begin: i64, end: i64) -> Strain {
        let strain = Strain::default();
        strain.note_lease(LEASE);
        strain.tries(at(100));
        strain.has_lock(at(100));
        strain.has_written(at(100));
        strain.tries(at(begin));
        strain.has_lock(at(end));
        strain.has_written(at(end));
        strain
    }

    #[test]
    fn a_lease_that_ran_out_while_nobody_could_write_is_excused_for_a_while() {
        let strain = strained(103, 120);
        assert!(strain.excuses(at(109).now(), at(124)));
        assert!(!strain.excuses(at(109).now(), at(125)), "it had the time to renew it");
        assert!(!strain.excuses(at(99).now(), at(121)), "it had run out before");
    }

    #[test]
    fn a_short_wait_excuses_nobody() {
        let strain = strained(103, 105);
        assert!(!strain.excuses(at(104).now(), at(105)));
    }

    #[test]
    fn who_starts_under_strain_knows_nothing_of_before() {
        let strain = Strain::default();
        strain.note_lease(LEASE);
        strain.tries(at(100));
        strain.has_lock(at(103));
        assert!(strain.excuses(at(50).now(), at(104)));
    }

    #[test]
    fn writes_that_fail_are_a_strain_as_well() {
        let strain = strained(101, 101);
        for second in 102..120 {
            strain.tries(at(second));
            strain.has_lock(at(second));
        }
        assert!(strain.excuses(at(111).now(), at(122)));
    }

    #[test]
    fn strains_in_a_row_are_one() {
        let strain = strained(103, 120);
        strain.tries(at(121));
        strain.has_lock(at(130));
        assert!(strain.excuses(at(109).now(), at(131)));
    }
}
