//! What a database holds, and whether that is all it must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cloacina_sqlite::UnifiedExecutor;
use cloacina_tests::effects::{Effects, Kind, Line, RunId};
use cloacina_tests::montage::{self, EDGES, Made, Order, Studio};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use super::support::until;

/// What is committed.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    /// What each task came to, by execution and task.
    results: BTreeMap<(String, String), Made>,
    /// Status and number of each execution.
    executions: BTreeMap<String, (String, u64)>,
}

impl Evidence {
    /// Reads a database, through its log.
    pub(crate) async fn read(database: &Path) -> Self {
        Self::try_read(database).await.unwrap()
    }

    /// Reads a database that may be damaged.
    pub(crate) async fn try_read(database: &Path) -> Result<Self, sqlx::Error> {
        let mut connection = connect(database).await?;
        let rows = "SELECT hex(execution_id), task, output FROM tasks WHERE state = 'completed'";
        let rows = sqlx::query(rows).fetch_all(&mut connection).await?;
        let results = rows.iter().map(|row| {
            let made = serde_json::from_str(&row.get::<String, _>(2)).unwrap();
            ((row.get::<String, _>(0), row.get(1)), made)
        });
        let results = results.collect();
        let rows = sqlx::query("SELECT hex(id), status, input FROM executions");
        let rows = rows.fetch_all(&mut connection).await?;
        let executions = rows.iter().map(|row| {
            let order: Order = serde_json::from_str(&row.get::<String, _>(2)).unwrap();
            (row.get(0), (row.get(1), order.n))
        });
        let executions = executions.collect();
        connection.close().await?;
        Ok(Self { results, executions })
    }

    pub(crate) fn results(&self) -> usize {
        self.results.len()
    }

    /// Reports whether all executions have ended.
    pub(crate) fn is_done(&self) -> bool {
        let open = ["pending", "running", "paused"];
        self.executions.values().all(|(status, _)| !open.contains(&status.as_str()))
    }

    /// The acknowledged executions that are not there.
    pub(crate) fn missing<'a>(&self, accepted: &'a [(String, u64)]) -> Vec<&'a str> {
        let is_missing = |id: &str| !self.executions.contains_key(&hex(id));
        accepted.iter().map(|(id, _)| id.as_str()).filter(|id| is_missing(id)).collect()
    }

    /// The results that a dependent's body saw, and that are not there.
    pub(crate) fn unseen(&self, lines: &[Line]) -> Vec<String> {
        let mut missing = Vec::new();
        for line in lines.iter().filter(|line| line.kind == Kind::Begin) {
            for detail in &line.details {
                let (parent, run) = detail.split_once('=').unwrap();
                let run: RunId = run.parse().unwrap();
                let made = self.results.get(&(hex(&line.execution), parent.to_owned()));
                if made.is_none_or(|made| made.by != run) {
                    missing.push(format!("{} of {}: {run}", parent, line.execution));
                }
            }
        }
        missing
    }

    /// Checks that nothing acknowledged is missing.
    pub(crate) fn check_kept(&self, accepted: &[(String, u64)], lines: &[Line]) {
        let missing = self.missing(accepted);
        assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
        let missing = self.unseen(lines);
        assert!(missing.is_empty(), "seen and lost: {missing:?}");
    }

    /// Checks that all that is committed here is there too, unchanged.
    pub(crate) fn check_part_of(&self, later: &Self) {
        for (task, made) in &self.results {
            assert_eq!(Some(made), later.results.get(task), "a result changed: {task:?}");
        }
        for (id, (status, _)) in
            self.executions.iter().filter(|(_, (status, _))| status != "running")
        {
            let now = later.executions.get(id).map(|(status, _)| status.as_str());
            assert!(status == "pending" || now == Some(status), "{id} was {status}, is {now:?}");
        }
    }

    /// Checks that all executions completed, with one right result a task.
    pub(crate) fn check_complete(&self) {
        for (id, (status, n)) in &self.executions {
            assert_eq!(status, "completed", "execution {id}");
            let values = montage::expected(*n);
            for (task, _) in EDGES {
                let made = self.results.get(&(id.clone(), task.to_owned()));
                assert_eq!(made.map(|made| made.value), Some(values[task]), "{task} of {id}");
            }
        }
    }

    /// Checks that no body ran whose result was here already.
    pub(crate) fn check_not_run_again(&self, lines: &[Line]) {
        for line in lines {
            let task = (hex(&line.execution), line.task.clone());
            assert!(!self.results.contains_key(&task), "ran again though committed: {line:?}");
        }
    }
}

/// Reports whether the leases of all workers have run out, more than a second ago.
pub(crate) async fn have_expired(database: &Path) -> bool {
    let mut connection = connect(database).await.unwrap();
    let expired = "SELECT max(expires_at) / 1000000 + 2 < unixepoch() FROM workers";
    let expired: bool = sqlx::query_scalar(expired).fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    expired
}

/// The bodies that began more than once.
pub(crate) fn repeated(lines: &[Line]) -> BTreeSet<(String, String)> {
    let mut seen = BTreeSet::new();
    let begun = lines.iter().filter(|line| line.kind == Kind::Begin);
    let tasks = begun.map(|line| (line.execution.clone(), line.task.clone()));
    tasks.filter(|task| !seen.insert(task.clone())).collect()
}

/// Checks that a database is whole.
pub(crate) async fn check_integrity(database: &Path) {
    let mut connection = connect(database).await.unwrap();
    let found: Vec<String> =
        sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await.unwrap();
    assert_eq!(found, ["ok"], "{}", database.display());
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut connection).await;
    assert!(dangling.unwrap().is_empty(), "{}", database.display());
    connection.close().await.unwrap();
}

/// Opens a database that was left behind with a new executor, and checks that it completes all that there is, without
/// touching what was committed.
pub(crate) async fn check_goes_on(database: &Path) {
    let before = Evidence::read(database).await;
    let log = database.with_extension("effects");
    let studio = Arc::new(Studio { effects: Effects::open(&log).unwrap(), witness: None });
    let executor = UnifiedExecutor::builder()
        .database_url(format!("sqlite://{}", database.display()))
        .lease_ttl(Duration::from_secs(1))
        .poll_interval(Duration::from_millis(50))
        .workflows([montage::workflow(Some(&studio)).unwrap()])
        .build()
        .await
        .unwrap();
    until("what was left behind has ended", async || Evidence::read(database).await.is_done())
        .await;
    executor.shutdown().await.unwrap();
    let after = Evidence::read(database).await;
    before.check_part_of(&after);
    before.check_not_run_again(&cloacina_tests::effects::read(&log).unwrap());
    after.check_complete();
    check_integrity(database).await;
}

async fn connect(database: &Path) -> Result<SqliteConnection, sqlx::Error> {
    let options = SqliteConnectOptions::new().filename(database);
    options.busy_timeout(Duration::from_secs(60)).connect().await
}

/// An id as SQLite's `hex` shows it.
fn hex(id: &str) -> String {
    id.replace('-', "").to_uppercase()
}
