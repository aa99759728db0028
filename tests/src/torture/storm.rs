//! The run itself: workers and a client that work while one thing after another goes wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use tempfile::TempDir;
use tokio::time::Instant;

use super::cluster::Cluster;
use super::fault::{Fault, Kind};
use super::submitter::Submitter;
use super::{CALM, Plan, WORKERS};
use crate::faults::SmallDisk;
use crate::fleet::{Fleet, Harm, LOOK, PATIENCE, Violation, Worker};

/// The size of the disk on which a file is.
const BYTES: u64 = 256 << 20;

const SETTINGS: [&str; 3] = ["lease_ms=4000", "slots=16", "witness=1"];

/// A worker, and the proxy that it goes by.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) worker: Worker,
    pub(super) proxy: usize,
}

/// A worker that was killed, and the ids that it had.
#[derive(Debug)]
struct Death {
    at: Instant,
    workers: Vec<String>,
}

/// What goes on.
#[derive(Debug)]
pub(super) struct Storm {
    pub(super) random: Rng,
    pub(super) fleet: Fleet,
    pub(super) cluster: Option<Cluster>,
    /// Where the file is, if file systems may be mounted.
    pub(super) disk: Option<SmallDisk>,
    _folder: TempDir,
    pub(super) program: PathBuf,
    pub(super) workers: Vec<Member>,
    pub(super) stopped: Vec<Member>,
    pub(super) leaving: Vec<Member>,
    pub(super) submitter: Submitter,
    /// Processes to which something happened.
    pub(super) struck: BTreeSet<u32>,
    /// Proxies that do not let everything pass, until so many executions have ended.
    pub(super) disturbed: Vec<(usize, usize)>,
    pub(super) faults: BTreeMap<&'static str, usize>,
    pub(super) found: Vec<Violation>,
    pub(super) recoveries: Vec<Duration>,
    deaths: Vec<Death>,
    /// Executions that have ended, and when that was seen to grow.
    pub(super) ended: usize,
    moved: Instant,
    is_feeding: bool,
}

impl Storm {
    pub(super) async fn start(plan: &Plan) -> Self {
        let folder = tempfile::Builder::new().prefix("cloacina-disk-").tempdir().unwrap();
        let (cluster, fleet, disk) = match plan.kind {
            Kind::Sqlite => {
                let disk = SmallDisk::mount(folder.path(), BYTES).ok();
                let fleet = Fleet::on_file(&plan.program, folder.path()).await;
                (None, fleet, disk)
            }
            Kind::Postgres => {
                let cluster = Cluster::start().await;
                let fleet = Fleet::on_server(&plan.program, &cluster.url()).await;
                (Some(cluster), fleet, None)
            }
        };
        let client = cluster.as_ref().map(|cluster| cluster.url_by(cluster.for_client()));
        let client = client.unwrap_or_else(|| fleet.url().to_owned());
        let submitter = Submitter::start(&fleet, &client, plan.seed);
        let mut storm = Self {
            random: Rng::with_seed(plan.seed),
            fleet,
            cluster,
            disk,
            _folder: folder,
            program: plan.program.clone(),
            workers: Vec::new(),
            stopped: Vec::new(),
            leaving: Vec::new(),
            submitter,
            struck: BTreeSet::new(),
            disturbed: Vec::new(),
            faults: BTreeMap::new(),
            found: Vec::new(),
            recoveries: Vec::new(),
            deaths: Vec::new(),
            ended: 0,
            moved: Instant::now(),
            is_feeding: true,
        };
        for _ in 0..WORKERS {
            storm.recruit();
        }
        storm
    }

    /// Starts a worker.
    pub(super) fn recruit(&mut self) {
        let (proxy, url) = match &self.cluster {
            Some(cluster) => {
                let proxy = cluster.for_worker(&mut self.random);
                (proxy, cluster.url_by(proxy))
            }
            None => (0, self.fleet.url().to_owned()),
        };
        let worker = self.fleet.spawn_at(&url, &SETTINGS);
        if self.disturbed.iter().any(|(disturbed, _)| *disturbed == proxy) {
            self.struck.insert(worker.pid());
        }
        self.workers.push(Member { worker, proxy });
    }

    /// Returns the address by which the client goes.
    pub(super) fn client_url(&self) -> String {
        match &self.cluster {
            Some(cluster) => cluster.url_by(cluster.for_client()),
            None => self.fleet.url().to_owned(),
        }
    }

    /// Waits until so many more executions have ended; false if nothing moves any more.
    pub(super) async fn goes_on(&mut self, more: usize) -> bool {
        let goal = self.ended + more;
        self.until(async |storm| storm.ended >= goal).await
    }

    /// Waits until something holds; false if nothing moves any more.
    pub(super) async fn until(&mut self, holds: impl AsyncFn(&mut Self) -> bool) -> bool {
        self.moved = Instant::now();
        let mut is_calm = false;
        loop {
            self.look().await;
            if holds(self).await {
                return true;
            }
            if self.moved.elapsed() > CALM && !is_calm {
                // Who was stopped may hold what all others wait for.
                self.calm();
                is_calm = true;
            }
            if self.moved.elapsed() > PATIENCE {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sees how far all is, and lets those go on whose time has come.
    async fn look(&mut self) {
        let ended = self.fleet.database.ended().await;
        if ended > self.ended {
            (self.ended, self.moved) = (ended, Instant::now());
        }
        self.submitter.listen();
        if self.is_feeding {
            self.submitter.feed(self.ended);
            let url = self.client_url();
            self.submitter.revive(&self.fleet, &url);
        }
        self.see_burials().await;
        self.replace_ended();
        for member in std::mem::take(&mut self.stopped) {
            if self.fleet.database.rows_of(member.worker.pid()).await == 0 {
                member.worker.go_on();
                self.workers.push(member);
            } else {
                self.stopped.push(member);
            }
        }
        let over: Vec<usize> = self
            .disturbed
            .iter()
            .filter(|(_, until)| *until <= ended)
            .map(|(one, _)| *one)
            .collect();
        self.disturbed.retain(|(_, until)| *until > ended);
        for proxy in over {
            self.let_pass(proxy);
        }
        self.leaving.retain_mut(|member| member.worker.is_running());
    }

    fn let_pass(&self, proxy: usize) {
        if let Some(cluster) = &self.cluster {
            cluster.proxies[proxy].let_pass(crate::proxy::Passage::Open);
        }
    }

    /// Notes how long it took until what the dead held was free.
    async fn see_burials(&mut self) {
        // Also lets the workers be seen while they live.
        self.fleet.database.workers().await;
        if self.deaths.is_empty() {
            return;
        }
        let rows = self.fleet.database.rows("SELECT worker FROM chk_workers").await;
        let is_there = |worker: &String| rows.iter().any(|row| row[0].as_ref() == Some(worker));
        for death in std::mem::take(&mut self.deaths) {
            if death.workers.iter().any(is_there) {
                self.deaths.push(death);
            } else {
                self.recoveries.push(death.at.elapsed());
            }
        }
    }

    /// Replaces workers that ended by themselves: allowed is that only to one that found no store when it started.
    fn replace_ended(&mut self) {
        for mut member in std::mem::take(&mut self.workers) {
            if member.worker.is_running() {
                self.workers.push(member);
                continue;
            }
            if self.fleet.has_started(&member.worker) {
                let what = format!("worker process {} ended by itself", member.worker.pid());
                self.accuse(Harm::Wrong, "G7 (goes on)", what);
            }
            self.recruit();
        }
    }

    /// Notes a violation that belongs to no execution.
    pub(super) fn accuse(&mut self, harm: Harm, promise: &'static str, what: String) {
        self.found.push(Violation { harm, promise, execution: "-".to_owned(), what });
    }

    /// Ends whatever lasts.
    pub(super) fn calm(&mut self) {
        self.strike_all();
        for member in self.stopped.drain(..) {
            member.worker.go_on();
            self.workers.push(member);
        }
        self.disturbed.clear();
        if let Some(cluster) = &self.cluster {
            cluster.open();
        }
    }

    /// Notes that something happened to all workers.
    pub(super) fn strike_all(&mut self) {
        let all = self.workers.iter().chain(&self.stopped).chain(&self.leaving);
        self.struck.extend(all.map(|member| member.worker.pid()));
    }

    /// Takes a worker out of the fleet and kills it.
    pub(super) async fn kill_one(&mut self) {
        let victim = self.random.usize(..self.workers.len());
        let member = self.workers.swap_remove(victim);
        let pid = member.worker.pid();
        self.struck.insert(pid);
        let workers = self.fleet.database.workers_of(pid).await;
        member.worker.kill();
        if !workers.is_empty() {
            self.deaths.push(Death { at: Instant::now(), workers });
        }
    }

    /// Counts a fault.
    pub(super) fn count(&mut self, fault: Fault) {
        *self.faults.entry(fault.name()).or_default() += 1;
    }

    /// Lets all end that was begun, and everybody leave. What does not come is noted.
    pub(super) async fn end(&mut self) {
        self.calm();
        let went = self.until(async |storm| storm.submitter.open() == 0).await;
        self.is_feeding = false;
        let went = went
            && self
                .until(async |storm| {
                    storm.ended == storm.fleet.database.count("chk_executions").await
                })
                .await;
        if !went {
            self.dump().await;
            return;
        }
        let settled = self
            .until(async |storm| {
                let all = storm.workers.len() + storm.leaving.len();
                storm.leaving.is_empty() && storm.fleet.database.registered().await == all
            })
            .await;
        if !settled {
            let what = format!(
                "{} workers have rows, {} live, {} are leaving",
                self.fleet.database.registered().await,
                self.workers.len(),
                self.leaving.len()
            );
            self.accuse(Harm::Stuck, "G7 (the dead are buried)", what);
            self.dump().await;
        }
        self.leave().await;
    }

    /// Shuts all down in good order; nothing of theirs is left.
    async fn leave(&mut self) {
        let client = self.submitter.end();
        let workers = std::mem::take(&mut self.workers).into_iter().map(|member| member.worker);
        let mut all: Vec<Worker> = workers.chain(client).collect();
        all.iter_mut().for_each(Worker::ask_to_shut_down);
        for mut worker in all {
            let ended = worker.ended().await;
            if !ended.success() {
                let what = format!("process {} was asked to leave: {ended}", worker.pid());
                self.accuse(Harm::Wrong, "G7 (clean shutdown)", what);
            }
        }
        let left = self.fleet.database.registered().await;
        if left > 0 {
            self.accuse(Harm::Wrong, "L4 (no leak)", format!("{left} workers have rows still"));
        }
        // The server cannot know that nobody is at the other end of a connection that was silenced.
        if let Some(cluster) = &mut self.cluster {
            cluster.proxies.clear();
        }
        let asked = Instant::now();
        while self.cluster.is_some() && !self.fleet.database.sessions().await.is_empty() {
            if asked.elapsed() > PATIENCE {
                let sessions = self.fleet.database.sessions().await;
                return self.accuse(Harm::Wrong, "L4 (no leak)", format!("left: {sessions:?}"));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells what everybody does who should have come to an end.
    async fn dump(&mut self) {
        let mut activity = self.fleet.database.activity().await;
        let workers = self.fleet.database.rows("SELECT worker FROM chk_workers").await;
        activity.push(format!("workers with rows: {workers:?}"));
        activity.push(format!("living: {:?}", self.workers));
        activity.push(format!("open submits: {}", self.submitter.open()));
        self.accuse(Harm::Stuck, "L1 (all done)", activity.join("\n  "));
    }
}
