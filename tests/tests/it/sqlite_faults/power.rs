//! The power fails while workers run.

use std::fs;
use std::path::Path;

use cloacina_tests::effects::Line;
use cloacina_tests::faults::{LoopDisk, power};

use super::evidence::{Evidence, check_goes_on, check_integrity};
use super::support::{Place, Worker, accepted};

/// How often the power fails in a test.
const CUTS: usize = 12;
const IMAGES: usize = 4;

const IMAGE_BYTES: u64 = 64 << 20;

/// What must be found after a power failure.
struct Promise {
    accepted: Vec<(String, u64)>,
    lines: Vec<Line>,
}

impl Promise {
    /// What was acknowledged so far.
    fn now(place: &Place) -> Self {
        // A line that tells of what another tells is not older.
        let lines = place.lines();
        Self { accepted: accepted(&place.acks()), lines }
    }

    async fn check(&self, database: &Path) {
        check_integrity(database).await;
        Evidence::read(database).await.check_kept(&self.accepted, &self.lines);
    }

    /// How much of it is missing: all of it, of a database that cannot be read.
    async fn broken(&self, database: &Path) -> usize {
        match Evidence::try_read(database).await {
            Ok(found) => found.missing(&self.accepted).len() + found.unseen(&self.lines).len(),
            Err(_) => self.accepted.len(),
        }
    }
}

#[expect(clippy::print_stderr, reason = "a random test says how to repeat it")]
fn seeded() -> fastrand::Rng {
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    fastrand::Rng::with_seed(seed)
}

fn pids(workers: &[Worker]) -> Vec<u32> {
    workers.iter().map(Worker::pid).collect()
}

/// One that submits and works, and one that works.
fn start(place: &Place, settings: &[&str]) -> Vec<Worker> {
    let submits = [&["submitters=6", "lease_ms=1000"], settings].concat();
    let works = [&["lease_ms=1000"], settings].concat();
    vec![place.worker(&submits), place.worker(&works)]
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_power_failure_that_takes_the_unsynced_tail() {
    let mut random = seeded();
    let place = Place::new();
    let workers = start(&place, &[]);
    let (mut now, mut earlier) = (0, 0);
    let (mut written, mut kept) = (0, 0);
    while now + earlier < CUTS {
        place.until_accepted(accepted(&place.acks()).len() + random.usize(1..30)).await;
        let mut promise = Promise::now(&place);
        let mut then = power::Position::look(place.database()).unwrap();
        let is_earlier = earlier <= now;
        if is_earlier {
            place.until_accepted(promise.accepted.len() + random.usize(1..4)).await;
        } else {
            promise = Promise::now(&place);
        }
        let into = place.folder("cut");
        let copy = power::snapshot(place.database(), &pids(&workers), &into).unwrap();
        if !is_earlier {
            then = copy.position();
        }
        // The disk may never have been like that.
        if let Some((tail, left)) = copy.lose_tail(then, &mut random).unwrap() {
            *if is_earlier { &mut earlier } else { &mut now } += 1;
            (written, kept) = (written + tail, kept + left);
            promise.check(copy.database()).await;
            check_goes_on(copy.database()).await;
        }
        fs::remove_dir_all(into).unwrap();
    }
    eprintln!("{CUTS} cuts lost {} of {written} bytes", written - kept);
    for worker in workers {
        worker.shut_down().await;
    }
    Promise::now(&place).check(place.database()).await;
}

#[tokio::test]
async fn a_log_that_is_cut_before_its_durable_end_is_found_out() {
    let mut random = seeded();
    let place = Place::new();
    let workers = start(&place, &[]);
    let mut broken = 0;
    for cut in 0..CUTS {
        place.until_accepted(accepted(&place.acks()).len() + random.usize(1..30)).await;
        let promise = Promise::now(&place);
        let into = place.folder(&format!("cut{cut}"));
        let copy = power::snapshot(place.database(), &pids(&workers), &into).unwrap();
        copy.cut(copy.position().durable / 2).unwrap();
        broken += promise.broken(copy.database()).await;
        fs::remove_dir_all(into).unwrap();
    }
    assert!(broken > 0, "nothing was missing");
}

/// Lets the power of a disk fail again and again, and counts what was acknowledged and is missing; `None` where there is no
/// such disk.
#[expect(clippy::print_stderr, reason = "a test that cannot be run says so")]
async fn fail_disk(settings: &[&str]) -> Option<usize> {
    let mut random = seeded();
    let mut place = Place::new();
    let at = place.put_database_into("disk");
    let disk = match LoopDisk::make(&place.path("image"), &at, IMAGE_BYTES) {
        Ok(disk) => disk,
        Err(error) => {
            eprintln!("left out, a disk of its own cannot be made here: {error}");
            return None;
        }
    };
    let workers = start(&place, settings);
    let mut broken = 0;
    for failure in 0..IMAGES {
        place.until_accepted(accepted(&place.acks()).len() + random.usize(10..60)).await;
        let promise = Promise::now(&place);
        let copy = place.path(&format!("image{failure}"));
        disk.fail_power(&pids(&workers), &copy).unwrap();
        let found_at = place.folder(&format!("found{failure}"));
        let found = LoopDisk::mount(&copy, &found_at).unwrap();
        let database = found_at.join("app.db");
        let lost = promise.broken(&database).await;
        if lost == 0 {
            check_integrity(&database).await;
            check_goes_on(&database).await;
        }
        broken += lost;
        drop(found);
        fs::remove_file(copy).unwrap();
    }
    for worker in workers {
        worker.kill();
    }
    Some(broken)
}

#[tokio::test]
async fn what_was_acknowledged_is_on_the_disk_when_its_power_fails() {
    if let Some(broken) = fail_disk(&[]).await {
        assert_eq!(broken, 0, "acknowledged and not on the disk");
    }
}

#[tokio::test]
async fn a_relaxed_commit_is_not_on_the_disk_when_its_power_fails() {
    if let Some(broken) = fail_disk(&["normal=1"]).await {
        eprintln!("{broken} acknowledged submits and seen results were not on the disk");
        assert!(broken > 0, "this disk syncs by itself: the test beside this one shows nothing");
    }
}
