//! A short torture of each store. The command `torture` does the same for as long as one likes.

use cloacina_tests::torture::{Kind, Plan, run};

use super::support::program;

/// Names the seed of a run that is to be repeated.
const SEED: &str = "CLOACINA_TEST_SEED";

#[expect(clippy::print_stderr, reason = "a failed run says how to repeat it")]
async fn torture(kind: Kind, faults: usize) {
    let seed = std::env::var_os(SEED).map(|seed| seed.to_str().unwrap().parse().unwrap());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{SEED}={seed}");
    let plan = Plan { kind, faults, seed, program: program().to_owned() };
    let outcome = run(&plan, &|what| eprintln!("{what}")).await;
    eprintln!("{:?}", outcome.report);
    let report = &outcome.report;
    assert!(
        outcome.violations.is_empty(),
        "{:#?}\n{}\ntraces: {:?}",
        outcome.violations,
        outcome.histories.join("\n"),
        outcome.traces
    );
    assert_eq!(report.faults, faults);
    assert!(report.executions > faults * 10, "work went on: {report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_done_twice_on_sqlite_whatever_happens_to_its_processes() {
    torture(Kind::Sqlite, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_done_twice_on_postgres_whatever_happens_to_its_processes() {
    torture(Kind::Postgres, 14).await;
}
