//! The database past all crates: what the audit has noted, and the tables themselves, on either store.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row as _};

use super::{LOOK, audit};
use crate::montage::Made;

/// How often a query is repeated: a server that was away ends the sessions that it had.
const TRIES: u32 = 400;

/// The columns of a row, as text.
pub type Row = Vec<Option<String>>;

/// A task's row, with who committed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The execution.
    pub execution: String,
    /// The task.
    pub task: String,
    /// Its state.
    pub state: String,
    /// How many attempts it took.
    pub attempts: i64,
    /// What the task returned; none if it failed.
    pub made: Option<Made>,
    /// The place among all results, in the order of the inserts.
    pub seq: i64,
    /// The owner of the execution in the transaction that wrote the row.
    pub owner: String,
    /// Its epoch.
    pub epoch: i64,
    /// The process whose session wrote it, where sessions can be told apart.
    pub pid: Option<u32>,
}

/// An execution's row after a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// The execution.
    pub execution: String,
    /// Who owns it.
    pub owner: Option<String>,
    /// How often it was claimed.
    pub epoch: i64,
    /// Its state.
    pub status: String,
}

/// An execution's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The execution.
    pub execution: String,
    /// The workflow.
    pub workflow: String,
    /// Its state.
    pub status: String,
    /// The number in its input.
    pub n: u64,
}

/// An attempt's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempted {
    /// The execution.
    pub execution: String,
    /// The task.
    pub task: String,
    /// The attempt.
    pub attempt: i64,
    /// Its state.
    pub state: String,
}

/// An event's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The execution.
    pub execution: String,
    /// What happened.
    pub kind: String,
    /// The task it happened to.
    pub task: Option<String>,
    /// More, in words.
    pub detail: String,
}

/// A store that is watched.
#[derive(Debug)]
pub struct Database {
    pub(super) store: Store,
    /// On SQLite: the processes of the workers that were seen.
    seen: Mutex<HashMap<String, u32>>,
    processes: Mutex<Vec<u32>>,
}

#[derive(Debug)]
pub(super) enum Store {
    Postgres { pool: PgPool, schema: String },
    Sqlite { pool: SqlitePool, path: PathBuf },
}

impl Database {
    /// Begins to watch a schema.
    pub async fn watch_schema(url: &str, schema: &str) -> Self {
        let store = Store::Postgres { pool: connect(url, schema).await, schema: schema.to_owned() };
        let database = Self { store, seen: Mutex::default(), processes: Mutex::default() };
        database.run(audit::POSTGRES).await;
        database
    }

    /// Begins to watch a file.
    pub async fn watch_file(path: &Path) -> Self {
        let path = path.canonicalize().unwrap();
        let store = Store::Sqlite { pool: open(&path).await, path };
        let database = Self { store, seen: Mutex::default(), processes: Mutex::default() };
        database.run(audit::SQLITE).await;
        database
    }

    /// Goes on with the same database at another address.
    pub async fn move_to(&mut self, url: &str) {
        if let Store::Postgres { pool, schema } = &mut self.store {
            let new = connect(url, schema).await;
            std::mem::replace(pool, new).close().await;
        }
    }

    /// Lets go of a file, so that another can take its place.
    pub async fn let_go(&self) {
        if let Store::Sqlite { pool, .. } = &self.store {
            pool.close().await;
        }
    }

    /// Goes on with the file that is there now.
    pub async fn take_up(&mut self) {
        if let Store::Sqlite { pool, path } = &mut self.store {
            *pool = open(path).await;
        }
    }

    /// Returns the path of the file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.store {
            Store::Postgres { .. } => None,
            Store::Sqlite { path, .. } => Some(path),
        }
    }

    pub(super) async fn run(&self, sql: &str) {
        match &self.store {
            Store::Postgres { pool, schema } => {
                let sql = audit::postgres(sql, schema);
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
            }
            Store::Sqlite { pool, .. } => {
                let sql = audit::sqlite(sql);
                sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap();
            }
        }
    }

    /// Runs a query whose columns are text, more than once if the server is away.
    ///
    /// # Panics
    ///
    /// If it fails for long.
    pub async fn rows(&self, sql: &str) -> Vec<Row> {
        let mut tries = 0;
        loop {
            match self.try_rows(sql).await {
                Ok(rows) => return rows,
                Err(error) if tries == TRIES => panic!("`{sql}` failed: {error}"),
                Err(_) => tries += 1,
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn try_rows(&self, sql: &str) -> Result<Vec<Row>, sqlx::Error> {
        match &self.store {
            Store::Postgres { pool, schema } => {
                let sql = audit::postgres(sql, schema);
                let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await?;
                rows.iter().map(|row| (0..row.len()).map(|i| row.try_get(i)).collect()).collect()
            }
            Store::Sqlite { pool, .. } => {
                let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(pool).await?;
                rows.iter().map(|row| (0..row.len()).map(|i| row.try_get(i)).collect()).collect()
            }
        }
    }

    /// Counts the rows of a table or a view.
    pub async fn count(&self, from: &str) -> usize {
        let rows = self.rows(&format!("SELECT CAST(count(*) AS text) FROM {from}")).await;
        number(&rows[0][0])
    }

    /// Counts the executions that have ended.
    pub async fn ended(&self) -> usize {
        self.count("chk_executions WHERE finished IS NOT NULL").await
    }

    /// Counts the workers that have a row.
    pub async fn registered(&self) -> usize {
        self.count("chk_workers").await
    }

    /// Lets a process be looked at, where only that tells which worker it is.
    pub(super) fn know(&self, pid: u32) {
        self.processes.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
    }

    /// Lists the ids under which a process has registered, in order.
    pub async fn workers_of(&self, pid: u32) -> Vec<String> {
        let workers = self.workers().await.into_iter().filter(|(_, of)| *of == pid);
        workers.map(|(worker, _)| worker).collect()
    }

    /// Lists all workers with their processes, in the order of their first registrations. On SQLite those that came and went
    /// unseen are missing.
    pub async fn workers(&self) -> Vec<(String, u32)> {
        // A worker that registered again is one worker still.
        let sql = "SELECT worker, session FROM chk_registrations \
            GROUP BY worker, session ORDER BY min(seq)";
        let rows = self.rows(sql).await;
        let Store::Sqlite { path, .. } = &self.store else {
            return rows.iter().map(|row| (text(&row[0]), pid_of(&text(&row[1])))).collect();
        };
        // Who looks whether another lives has that one's file open for a moment, and whoever buries it for longer. So what two have open
        // tells nothing, and whoever was seen first is the one.
        let mut open: HashMap<String, Vec<u32>> = HashMap::new();
        for pid in &*self.processes.lock().unwrap_or_else(PoisonError::into_inner) {
            for worker in locked_by(*pid, path) {
                open.entry(worker).or_default().push(*pid);
            }
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (worker, pids) in open {
            if let [pid] = pids.as_slice() {
                seen.entry(worker).or_insert(*pid);
            }
        }
        rows.iter().filter_map(|row| Some((text(&row[0]), *seen.get(row[0].as_ref()?)?))).collect()
    }

    /// Counts the rows of workers that a process has.
    pub async fn rows_of(&self, pid: u32) -> usize {
        let workers = self.workers_of(pid).await;
        let rows = self.rows("SELECT worker FROM chk_workers").await;
        rows.iter().filter(|row| workers.contains(&text(&row[0]))).count()
    }

    /// Reads the rows of all tasks.
    pub async fn committed(&self) -> Vec<Committed> {
        // In this order, so that there is a note of each row though work goes on.
        let sql = "SELECT execution, task, state, attempts, output FROM chk_tasks ORDER BY 1, 2";
        let tasks = self.rows(sql).await;
        let sql =
            "SELECT execution, task, CAST(seq AS text), owner, epoch, session FROM chk_results";
        let results = self.rows(sql).await;
        let results: HashMap<(String, String), Row> =
            results.into_iter().map(|row| ((text(&row[0]), text(&row[1])), row)).collect();
        let read = |row: Row| {
            let (execution, task) = (text(&row[0]), text(&row[1]));
            let result = &results[&(execution.clone(), task.clone())];
            Committed {
                execution,
                task,
                state: text(&row[2]),
                attempts: number(&row[3]),
                made: row[4].as_deref().map(|output| serde_json::from_str(output).unwrap()),
                seq: number(&result[2]),
                owner: text(&result[3]),
                epoch: number(&result[4]),
                pid: result[5].as_deref().map(pid_of),
            }
        };
        tasks.into_iter().map(read).collect()
    }

    /// Lists the changes of rows of tasks that were there already: none is legal.
    pub async fn changes(&self) -> Vec<(String, String)> {
        let rows = self.rows("SELECT execution, task FROM chk_changes").await;
        rows.iter().map(|row| (text(&row[0]), text(&row[1]))).collect()
    }

    /// Reads how each execution changed, in order.
    pub async fn histories(&self) -> BTreeMap<String, Vec<Ownership>> {
        let sql = "SELECT execution, owner, epoch, status FROM chk_ownership ORDER BY seq";
        let mut histories: BTreeMap<String, Vec<Ownership>> = BTreeMap::new();
        for row in self.rows(sql).await {
            let execution = text(&row[0]);
            let step = Ownership {
                execution: execution.clone(),
                owner: row[1].clone(),
                epoch: number(&row[2]),
                status: text(&row[3]),
            };
            histories.entry(execution).or_default().push(step);
        }
        histories
    }

    /// Reads the rows of all executions.
    pub async fn executions(&self) -> Vec<Known> {
        let sql = "SELECT id, workflow, status, input FROM chk_executions ORDER BY id";
        let read = |row: &Row| Known {
            execution: text(&row[0]),
            workflow: text(&row[1]),
            status: text(&row[2]),
            n: serde_json::from_str::<Value>(&text(&row[3])).unwrap()["n"].as_u64().unwrap(),
        };
        self.rows(sql).await.iter().map(read).collect()
    }

    /// Reads the attempts on record.
    pub async fn attempts(&self) -> Vec<Attempted> {
        let sql = "SELECT execution, task, attempt, state FROM chk_attempts ORDER BY 1, 2, 3";
        let read = |row: &Row| Attempted {
            execution: text(&row[0]),
            task: text(&row[1]),
            attempt: number(&row[2]),
            state: text(&row[3]),
        };
        self.rows(sql).await.iter().map(read).collect()
    }

    /// Reads the events of a kind, in order.
    pub async fn events(&self, kind: &str) -> Vec<Event> {
        let mut events = self.all_events().await;
        events.retain(|event| event.kind == kind);
        events
    }

    /// Reads all events, in order.
    pub async fn all_events(&self) -> Vec<Event> {
        let sql = "SELECT execution, kind, task, detail FROM chk_events ORDER BY seq";
        let read = |row: &Row| Event {
            execution: text(&row[0]),
            kind: text(&row[1]),
            task: row[2].clone(),
            detail: text(&row[3]),
        };
        self.rows(sql).await.iter().map(read).collect()
    }
}

/// Opens connections that find the audit's views by their names.
async fn connect(url: &str, schema: &str) -> PgPool {
    let options = PgConnectOptions::from_str(url).unwrap();
    let options = options.options([("search_path", format!("{schema}_audit"))]);
    PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap()
}

async fn open(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(60));
    SqlitePoolOptions::new().max_connections(2).connect_with(options).await.unwrap()
}

/// Finds the workers whose lock files a process has open: on SQLite nothing else tells who they are.
fn locked_by(pid: u32, database: &Path) -> Vec<String> {
    let Ok(files) = std::fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let prefix = format!("{}.worker-", database.display());
    let open = files.flatten().filter_map(|file| std::fs::read_link(file.path()).ok());
    open.filter_map(|path| path.to_str()?.strip_prefix(&prefix).map(str::to_owned)).collect()
}

/// Reads the process from the application name of a session.
pub(super) fn pid_of(session: &str) -> u32 {
    session.rsplit('.').next().and_then(|pid| pid.parse().ok()).unwrap_or_default()
}

pub(super) fn text(column: &Option<String>) -> String {
    column.clone().unwrap_or_default()
}

pub(super) fn number<T: std::str::FromStr>(column: &Option<String>) -> T {
    let number = column.as_deref().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("{column:?} is no number"))
}
