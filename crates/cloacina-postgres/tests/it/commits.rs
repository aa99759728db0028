//! Batches that meet others, or a connection that is gone.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use cloacina_core::backend::{
    Batch, BatchVerdicts, Checkpoint, CheckpointVerdict, Control, ControlVerdict, NewExecution,
    NewWorker,
};
use cloacina_core::{Backend, ExecutionId, PipelineStatus, WorkerId};
use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_testing::conformance::{CheckpointBuilder, checkpoint, execution, task_end};
use cloacina_testing::postgres::{schema_name, server};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use crate::support::{raw, run};

/// How many executions are not locked one by one, and more.
const MANY: usize = 100;

/// A store whose sessions can be told from those of other tests, and an execution that a worker owns.
struct Owned {
    schema: String,
    backend: PostgresBackend,
    worker: WorkerId,
    execution: ExecutionId,
}

impl Owned {
    async fn new() -> Self {
        Self::with("").await
    }

    /// The same with further parameters in the URL.
    async fn with(parameters: &str) -> Self {
        let schema = schema_name();
        let url = format!("{}?application_name={schema}{parameters}", server().url());
        let options = PostgresOptions::from_url(&url).unwrap().schema(&schema).unwrap();
        let backend = PostgresBackend::open(options).await.unwrap();
        let worker = WorkerId::new();
        let lease_ttl = Duration::from_secs(60);
        backend.register_worker(&NewWorker { id: worker, lease_ttl }).await.unwrap();
        let new = execution().owner(worker);
        let execution = new.id();
        let submits = vec![new.into()];
        backend.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
        Self { schema, backend, worker, execution }
    }

    fn checkpoint(&self) -> CheckpointBuilder {
        checkpoint(self.execution, self.worker, 1)
    }

    /// Commits the end of the only task.
    async fn end(&self) -> BatchVerdicts {
        let end = self.checkpoint().task(task_end("only"));
        self.commit(end.finish(PipelineStatus::Completed)).await
    }

    async fn commit(&self, checkpoint: CheckpointBuilder) -> BatchVerdicts {
        let batch = Batch { submits: Vec::new(), checkpoints: vec![checkpoint.into()] };
        self.backend.commit(Arc::new(batch)).await.unwrap()
    }

    /// The end of an execution with its only task.
    fn last(&self, id: ExecutionId) -> Checkpoint {
        let end = checkpoint(id, self.worker, 1).task(task_end("only"));
        end.finish(PipelineStatus::Completed).into()
    }

    /// Submits more executions, which this worker owns.
    async fn submit_many(&self) -> Vec<ExecutionId> {
        let submits: Vec<NewExecution> =
            (0..MANY).map(|_| execution().owner(self.worker).into()).collect();
        let ids = submits.iter().map(|new| new.id).collect();
        let batch = Batch { submits, checkpoints: Vec::new() };
        self.backend.commit(batch.into()).await.unwrap();
        ids
    }

    /// Commits a task of many executions, not the last one, and the ends of as many, once something else has begun that changes one of
    /// them. That is held up half-way until the batch waits for it.
    async fn commit_beside<T>(&self, change: impl Future<Output = T>) -> (BatchVerdicts, T) {
        let (others, ending) = (self.submit_many().await, self.submit_many().await);
        let (mut other, mut look) = (raw().await, raw().await);
        let lock = "BEGIN; SELECT FROM {}.executions FOR UPDATE";
        run(&mut other, &lock.replace("{}", &self.schema)).await;
        let commit = async {
            self.waits(&mut look, "query LIKE '%executions AS e%FOR NO KEY UPDATE%'").await;
            let first = |id| checkpoint(id, self.worker, 1).task(task_end("first")).into();
            let all = std::iter::once(self.execution).chain(others).map(first);
            let checkpoints = all.chain(ending.into_iter().map(|id| self.last(id))).collect();
            let batch = Batch { submits: Vec::new(), checkpoints };
            let mut commit = pin!(self.backend.commit(batch.into()));
            let early = tokio::select! {
                verdicts = &mut commit => Some(verdicts),
                () = self.waits(&mut look, "query LIKE '%WITH owner AS%'") => None,
            };
            run(&mut other, "COMMIT").await;
            match early {
                Some(verdicts) => verdicts.unwrap(),
                None => commit.await.unwrap(),
            }
        };
        tokio::join!(commit, change)
    }

    /// Does the same while another session has the row, and lets go of it once that waits in such a statement.
    async fn end_beside(&self, change: &str, whose: &str) -> BatchVerdicts {
        let (mut other, mut look) = (raw().await, raw().await);
        run(&mut other, &format!("BEGIN; {}", change.replace("{}", &self.schema))).await;
        let let_go = async {
            self.waits(&mut look, whose).await;
            run(&mut other, "COMMIT").await;
        };
        tokio::join!(self.end(), let_go).0
    }

    /// Waits until one of its sessions waits for a lock in such a statement.
    async fn waits(&self, look: &mut PgConnection, whose: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity
             WHERE application_name = '{}' AND wait_event_type = 'Lock' AND {whose}",
            self.schema
        );
        while count(look, &sql).await == 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn tasks(&self) -> usize {
        self.backend.load(self.execution).await.unwrap().unwrap().tasks.len()
    }
}

async fn count(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap().get(0)
}

fn completed() -> CheckpointVerdict {
    CheckpointVerdict::Committed { status: PipelineStatus::Completed }
}

#[tokio::test]
async fn a_batch_ends_a_row_that_was_changed_while_it_waited() {
    let owned = Owned::new().await;
    let verdicts = owned.end_beside("UPDATE {}.executions SET takeovers = 7", "true").await;
    assert_eq!(verdicts.checkpoints, [completed()]);
    let loaded = owned.backend.load(owned.execution).await.unwrap().unwrap();
    assert_eq!(loaded.record.status, PipelineStatus::Completed);
    assert_eq!((loaded.tasks.len(), loaded.record.takeovers), (1, 7));
    owned.backend.close().await;
}

#[tokio::test]
async fn a_batch_writes_nothing_to_what_changed_hands_while_it_waited() {
    let owned = Owned::new().await;
    let verdicts = owned.end_beside("UPDATE {}.executions SET epoch = 2", "true").await;
    assert_eq!(verdicts.checkpoints, [CheckpointVerdict::Fenced]);
    assert_eq!(owned.tasks().await, 0);
    owned.backend.close().await;
}

#[tokio::test]
async fn of_many_ends_that_wait_each_is_written_but_for_what_changed_hands_meanwhile() {
    let owned = Owned::new().await;
    let (growing, others) = (owned.submit_many().await, owned.submit_many().await);
    let (mut other, mut look) = (raw().await, raw().await);
    let change = "BEGIN; UPDATE {}.executions SET epoch = 2 WHERE id = '{id}'";
    let change = change.replace("{}", &owned.schema).replace("{id}", &owned.execution.to_string());
    run(&mut other, &change).await;
    let first = |id| checkpoint(id, owned.worker, 1).task(task_end("first")).into();
    let all = std::iter::once(owned.execution).chain(others).map(|id| owned.last(id));
    let checkpoints = all.chain(growing.into_iter().map(first)).collect();
    let batch = Batch { submits: Vec::new(), checkpoints };
    let let_go = async {
        owned.waits(&mut look, "query LIKE '%WITH owner AS%'").await;
        run(&mut other, "COMMIT").await;
    };
    let (verdicts, ()) = tokio::join!(owned.backend.commit(batch.into()), let_go);
    let verdicts = verdicts.unwrap().checkpoints;
    assert_eq!(verdicts[0], CheckpointVerdict::Fenced);
    assert_eq!(verdicts[1..=MANY], vec![completed(); MANY]);
    assert_eq!(owned.tasks().await, 0);
    owned.backend.close().await;
}

#[tokio::test]
async fn a_task_is_not_written_to_what_is_cancelled_while_its_batch_waits() {
    let owned = Owned::new().await;
    let order = Control::Cancel { tasks: Vec::new() };
    let cancelled = owned.backend.control(owned.execution, &order);
    let (verdicts, cancelled) = owned.commit_beside(cancelled).await;
    assert_eq!(cancelled.unwrap(), ControlVerdict::Applied(PipelineStatus::Cancelled));
    assert_eq!(verdicts.checkpoints[0], CheckpointVerdict::Ended(PipelineStatus::Cancelled));
    assert_eq!(verdicts.checkpoints[MANY + 1..], vec![completed(); MANY]);
    assert_eq!(owned.tasks().await, 0);
    owned.backend.close().await;
}

#[tokio::test]
async fn a_task_that_is_committed_beside_a_pause_tells_of_it() {
    let owned = Owned::new().await;
    let (verdicts, paused) =
        owned.commit_beside(owned.backend.control(owned.execution, &Control::Pause)).await;
    assert_eq!(paused.unwrap(), ControlVerdict::Applied(PipelineStatus::Paused));
    let status = PipelineStatus::Paused;
    assert_eq!(verdicts.checkpoints[0], CheckpointVerdict::Committed { status });
    assert_eq!(owned.tasks().await, 1);
    owned.backend.close().await;
}

#[tokio::test]
async fn a_task_is_not_written_for_a_worker_that_is_buried_while_its_batch_waits() {
    let owned = Owned::new().await;
    // Its lease has run out, whatever its session says.
    let expire = "UPDATE {}.workers SET lock_key = NULL, expires_at = now()";
    run(&mut raw().await, &expire.replace("{}", &owned.schema)).await;
    let buried = owned.backend.bury_dead_workers(WorkerId::new());
    let (verdicts, buried) = owned.commit_beside(buried).await;
    assert_eq!(buried.unwrap().len(), 1);
    assert_eq!(verdicts.checkpoints, vec![CheckpointVerdict::Fenced; 2 * MANY + 1]);
    assert_eq!(owned.tasks().await, 0);
    owned.backend.close().await;
}

#[tokio::test]
async fn a_batch_that_waits_for_long_goes_on_in_a_transaction() {
    let owned = Owned::new().await;
    let in_transaction = "xact_start < query_start";
    let lock = "SELECT FROM {}.executions FOR UPDATE";
    let verdicts = owned.end_beside(lock, in_transaction).await;
    assert_eq!(verdicts.checkpoints, [completed()]);
    assert_eq!(owned.tasks().await, 1);
    owned.backend.close().await;
}

#[tokio::test]
async fn a_batch_is_committed_whatever_defaults_its_session_has() {
    let options = "default_transaction_read_only=on -c default_transaction_isolation=serializable";
    let options = options.replace('=', "%3D").replace(' ', "%20");
    let owned = Owned::with(&format!("&options=-c%20{options}")).await;
    assert_eq!(owned.end().await.checkpoints[0], completed());
    assert_eq!(owned.tasks().await, 1);
}

#[tokio::test]
async fn a_batch_does_not_notice_connections_that_were_lost_while_they_were_idle() {
    let owned = Owned::new().await;
    let end = format!(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
         WHERE application_name = '{}'",
        owned.schema
    );
    assert!(count(&mut raw().await, &end).await > 1);
    assert_eq!(owned.end().await.checkpoints, [completed()]);
    assert_eq!(owned.tasks().await, 1);
    owned.backend.close().await;
}
