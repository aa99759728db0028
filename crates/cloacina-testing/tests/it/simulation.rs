//! The simulation over many seeds: `CLOACINA_SEEDS=100000 cargo test --release -p cloacina-testing --test it simulation`
//! runs more of them, `CLOACINA_SEED=7` runs one and tells its history if it breaks a promise.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use cloacina_testing::simulation::{Report, Scenario, Tally, shrink, simulate};

/// How many seeds the test command runs.
const SEEDS: u64 = 2_000;

/// More simulations than this are not spent on making a failure small.
const SHRINKING: usize = 600;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var_os(name)?;
    let text = text.to_str().unwrap();
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, it must be a number")))
}

/// Runs seeds on all processors until one breaks a promise; that one's report, or what came about in all.
fn run(seeds: u64) -> Result<Tally, Box<Report>> {
    let (next, broken) = (AtomicU64::new(0), Mutex::new(None::<Report>));
    let total = Mutex::new(Tally::default());
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds {
                        return;
                    }
                    let report = simulate(&Scenario::new(seed));
                    if report.violation.is_some() {
                        next.store(seeds, Ordering::Relaxed);
                        broken.lock().unwrap_or_else(PoisonError::into_inner).replace(report);
                        return;
                    }
                    total.lock().unwrap().add(report.tally);
                }
            });
        }
    });
    match broken.into_inner().unwrap() {
        Some(report) => Err(Box::new(report)),
        None => Ok(total.into_inner().unwrap()),
    }
}

#[test]
fn whatever_goes_wrong_every_promise_is_kept() {
    if let Some(seed) = number("CLOACINA_SEED") {
        let report = simulate(&Scenario::new(seed));
        eprintln!("{report}");
        return assert_eq!(report.violation, None);
    }
    let seeds = number("CLOACINA_SEEDS").unwrap_or(SEEDS);
    match run(seeds) {
        Ok(tally) => eprintln!("{seeds} seeds: {tally:?}"),
        Err(report) => {
            eprintln!("{report}\nin full: CLOACINA_SEED={}\n", report.seed);
            let promise = report.violation.unwrap().promise;
            let small = shrink(&Scenario::new(report.seed), promise, SHRINKING);
            let report = simulate(&small);
            panic!("{small:#?}\n{report}\n(seed {}, shrunk)", report.seed);
        }
    }
}

#[test]
fn one_seed_gives_one_history() {
    for seed in 0..60 {
        let scenario = Scenario::new(seed);
        let (first, second) = (simulate(&scenario), simulate(&scenario));
        assert_eq!(first, second, "seed {seed}");
    }
}
