//! A fleet under fire: workers killed, stopped and continued, shut down, and their sessions terminated, at random.

use std::collections::BTreeSet;

use cloacina_tests::montage::{EDGES, Order};
use fastrand::Rng;

use super::support::{Evidence, Fleet, Worker, check_values, fleet, submit_all, until};

const WORKERS: usize = 4;
const EXECUTIONS: u64 = 2_000;
/// One in so many executions looks at itself through a connection of its own.
const WITNESSES: u64 = 10;
const SETTINGS: [&str; 3] = ["lease_ms=4000", "slots=16", "witness=1"];

/// Names the seed of a schedule that is to be repeated.
const SEED: &str = "CLOACINA_TEST_SEED";

#[derive(Debug, Clone, Copy)]
enum Fault {
    /// `kill -9`, and another process in its place.
    Kill,
    /// `SIGSTOP` until others have declared it dead, then `SIGCONT`.
    Stop,
    /// A few sessions of the workers are terminated by the server.
    Terminate,
    /// A clean shutdown, and another process in its place.
    Leave,
}

/// Every kind several times, in an order of the seed's choosing.
fn schedule(random: &mut Rng) -> Vec<Fault> {
    let counts = [(Fault::Kill, 5), (Fault::Stop, 3), (Fault::Terminate, 5), (Fault::Leave, 3)];
    let mut faults: Vec<_> =
        counts.into_iter().flat_map(|(fault, count)| std::iter::repeat_n(fault, count)).collect();
    random.shuffle(&mut faults);
    faults
}

struct Storm {
    fleet: Fleet,
    random: Rng,
    workers: Vec<Worker>,
    stopped: Vec<Worker>,
    leaving: Vec<Worker>,
    /// Processes to which something happened.
    struck: BTreeSet<u32>,
    /// Processes that were stopped until they were declared dead.
    overtaken: BTreeSet<u32>,
}

impl Storm {
    async fn new(seed: u64) -> Self {
        let (fleet, mut workers) = (fleet().await, Vec::new());
        for _ in 0..WORKERS {
            workers.push(fleet.worker(&SETTINGS).await);
        }
        Self {
            fleet,
            random: Rng::with_seed(seed),
            workers,
            stopped: Vec::new(),
            leaving: Vec::new(),
            struck: BTreeSet::new(),
            overtaken: BTreeSet::new(),
        }
    }

    async fn strike(&mut self, fault: Fault) {
        let victim = self.random.usize(..self.workers.len());
        match fault {
            Fault::Kill => {
                let worker = self.workers.swap_remove(victim);
                self.struck.insert(worker.pid());
                worker.kill();
                self.workers.push(self.fleet.worker(&SETTINGS).await);
            }
            // Somebody has to go on.
            Fault::Stop if self.workers.len() > 2 => {
                let worker = self.workers.swap_remove(victim);
                self.struck.insert(worker.pid());
                worker.stop();
                self.stopped.push(worker);
            }
            Fault::Stop | Fault::Terminate => {
                let mut sessions = self.fleet.database.sessions().await;
                self.random.shuffle(&mut sessions);
                for session in sessions.iter().take(self.random.usize(1..=4)) {
                    self.struck.insert(session.pid);
                    self.fleet.database.terminate(session).await;
                }
            }
            Fault::Leave => {
                let mut worker = self.workers.swap_remove(victim);
                worker.ask_to_shut_down();
                self.leaving.push(worker);
                self.workers.push(self.fleet.worker(&SETTINGS).await);
            }
        }
    }

    /// Lets those go on that were declared dead while they were stopped.
    async fn continue_overtaken(&mut self) {
        for worker in std::mem::take(&mut self.stopped) {
            if self.fleet.database.rows_of(worker.pid()).await == 0 {
                worker.go_on();
                self.overtaken.insert(worker.pid());
                self.workers.push(worker);
            } else {
                self.stopped.push(worker);
            }
        }
    }

    async fn until_ended(&mut self, executions: usize) {
        until("enough executions have ended", async || {
            self.continue_overtaken().await;
            self.fleet.database.ended().await >= executions
        })
        .await;
    }

    /// Waits until all that went wrong is over.
    async fn settle(&mut self) {
        until("who was stopped goes on", async || {
            self.continue_overtaken().await;
            self.stopped.is_empty()
        })
        .await;
        for mut worker in self.leaving.drain(..) {
            let ended = worker.ended().await;
            assert!(ended.success(), "a clean shutdown amid faults: {ended}");
        }
        for worker in &self.workers {
            let again = usize::from(self.overtaken.contains(&worker.pid()));
            let what = "a worker that was declared dead has registered anew";
            until(what, async || self.fleet.registered(worker).await > again).await;
        }
        let database = &self.fleet.database;
        until("the dead are buried", async || database.registered().await == WORKERS).await;
        until("each worker holds its lock", async || database.locks().await == WORKERS).await;
        assert_eq!(database.stale_transactions().await, 0, "no transaction is left open");
    }

    /// Shuts all workers down; nothing of theirs is left.
    async fn end(&mut self) {
        for worker in self.workers.drain(..) {
            worker.shut_down().await;
        }
        let database = &self.fleet.database;
        assert_eq!(database.registered().await, 0, "all workers have left");
        until("their sessions are gone", async || database.sessions().await.is_empty()).await;
    }
}

fn orders() -> Vec<Order> {
    let order = |n| Order { n, witness: n % WITNESSES == 0, ..Order::default() };
    (0..EXECUTIONS).map(order).collect()
}

fn seed() -> u64 {
    let seed = std::env::var_os(SEED).map(|seed| seed.to_str().unwrap().parse().unwrap());
    seed.unwrap_or_else(|| fastrand::u64(..))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_in_which_everything_dies_completes_all_and_commits_each_result_once() {
    let seed = seed();
    eprintln!("{SEED}={seed}");
    let mut storm = Storm::new(seed).await;
    let client = storm.fleet.client().await;
    let orders = orders();
    let (submitting, wanted) = (client.clone(), orders.clone());
    let mut submits = tokio::task::JoinSet::new();
    submits.spawn(async move { submit_all(&submitting, &wanted).await });
    let faults = schedule(&mut storm.random);
    let share = orders.len() / (faults.len() + 2);
    for (place, fault) in faults.iter().enumerate() {
        storm.until_ended((place + 1) * share).await;
        storm.strike(*fault).await;
    }
    let ids = submits.join_all().await.remove(0);
    storm.until_ended(ids.len()).await;
    storm.settle().await;
    storm.end().await;

    let evidence = Evidence::gather(&storm.fleet).await;
    evidence.check();
    evidence.check_complete(&ids);
    let takeovers = storm.fleet.database.events("recovered").await;
    let lost = evidence.check_lost_runs(&storm.struck, &takeovers);
    let witnessed = orders.iter().filter(|order| order.witness).count() * EDGES.len();
    assert!(evidence.witnesses() >= witnessed, "the witnesses spoke");
    eprintln!("{lost} bodies ran in vain in {} takeovers", takeovers.len());
    let fresh = storm.fleet.client().await;
    check_values(&fresh, &ids, &orders).await;
    for executor in [client, fresh] {
        executor.shutdown().await.unwrap();
    }
    storm.fleet.finish().await;
}
