//! There is no room left.

use std::os::unix::process::ExitStatusExt as _;

use cloacina_tests::faults::{AtLimit, SmallDisk, limit_files};

use super::evidence::{Evidence, check_goes_on, check_integrity, have_expired, repeated};
use super::support::{Place, Worker, accepted, refusals, until};

const DISK_BYTES: u64 = 8 << 20;

/// Less than the log of a database in use.
const LIMIT_BYTES: u64 = 512 << 10;

const SIGXFSZ: i32 = 25;

/// Waits until submits are refused, and checks that whoever submits is told why.
async fn until_refused(place: &Place, why: &str) {
    until("submits are refused", async || refusals(&place.acks()).len() >= 5).await;
    for refusal in refusals(&place.acks()) {
        assert!(refusal.contains("the database has no room left"), "{refusal}");
        assert!(refusal.contains(why), "{refusal}");
    }
}

/// Lets the workers end what there is, and checks that nothing is missing.
async fn check_complete(place: &Place, workers: Vec<Worker>) {
    for worker in workers {
        worker.shut_down().await;
    }
    let found = Evidence::read(place.database()).await;
    found.check_kept(&accepted(&place.acks()), &place.lines());
    check_integrity(place.database()).await;
    check_goes_on(place.database()).await;
}

#[tokio::test]
async fn a_full_disk_refuses_submits_and_everything_goes_on_when_there_is_room() {
    let mut place = Place::new();
    let at = place.put_database_into("disk");
    let disk = match SmallDisk::mount(&at, DISK_BYTES) {
        Ok(disk) => disk,
        Err(error) => {
            eprintln!(
                "not a full disk, but limits on the files of processes (`ulimit -f`) are tried: {error}"
            );
            return;
        }
    };
    let lease = "lease_ms=1000";
    let workers = vec![place.worker(&["submitters=4", lease]), place.worker(&[lease])];
    place.until_accepted(30).await;
    disk.fill().unwrap();
    until_refused(&place, "database or disk is full").await;
    until("the leases have run out", async || have_expired(place.database()).await).await;
    let full = Evidence::read(place.database()).await;
    full.check_kept(&accepted(&place.acks()), &place.lines());
    check_integrity(place.database()).await;
    disk.make_room().unwrap();
    place.until_accepted(accepted(&place.acks()).len() + 30).await;
    full.check_part_of(&Evidence::read(place.database()).await);
    check_complete(&place, workers).await;
    let repeated = repeated(&place.lines());
    assert!(repeated.is_empty(), "nobody had died: {repeated:?}\n{}", place.said());
}

#[tokio::test]
async fn a_worker_whose_files_may_not_grow_refuses_submits_and_another_takes_over() {
    let place = Place::new();
    let limited = place.command(&["submitters=4", "lease_ms=1000"]);
    let limited = place.spawn(&mut limit_files(&limited, LIMIT_BYTES, AtLimit::Fails));
    until_refused(&place, "a limit on the size of files").await;
    let stuck = Evidence::read(place.database()).await;
    stuck.check_kept(&accepted(&place.acks()), &place.lines());
    let other = place.worker(&["lease_ms=1000"]);
    until("another worker has taken over", async || {
        Evidence::read(place.database()).await.is_done()
    })
    .await;
    limited.kill();
    stuck.check_part_of(&Evidence::read(place.database()).await);
    check_complete(&place, vec![other]).await;
}

#[tokio::test]
async fn a_worker_that_dies_of_its_limit_loses_nothing() {
    let place = Place::new();
    let limited = place.command(&["submitters=4"]);
    let mut limited = place.spawn(&mut limit_files(&limited, LIMIT_BYTES, AtLimit::Dies));
    assert_eq!(limited.ended().await.signal(), Some(SIGXFSZ));
    let other = place.worker(&[]);
    until("another worker has taken over", async || {
        Evidence::read(place.database()).await.is_done()
    })
    .await;
    check_complete(&place, vec![other]).await;
}
