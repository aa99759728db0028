//! How many statements a batch takes, and how many rows they write: what a commit costs, counted without a clock.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloacina_core::backend::{
    Batch, Checkpoint, Finish, JsonText, NewExecution, NewWorker, TaskEnd, WorkflowKey,
};
use cloacina_core::{Backend as _, ExecutionId, PipelineStatus, TaskId, TaskState, WorkerId};
use cloacina_testing::postgres::{schema_name, server};
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::{PostgresBackend, PostgresOptions};

/// What the driver logs of statements: their first words, and the rows that they wrote.
#[derive(Debug, Default, Clone)]
struct Statements(Arc<Mutex<Vec<(String, u64)>>>);

#[derive(Default)]
struct Statement {
    words: String,
    rows: u64,
}

impl Visit for Statement {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "rows_affected" {
            self.rows = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        // The whole text, where the summary does not hold all of it.
        if ["summary", "db.statement"].contains(&field.name()) && !value.is_empty() {
            let lines = value.lines().filter(|line| !line.starts_with("--"));
            self.words =
                lines.flat_map(str::split_whitespace).take(2).collect::<Vec<_>>().join(" ");
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        self.0.lock().unwrap().push((statement.words, statement.rows));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Statements {
    /// Takes the verbs and rows of what was logged, but for the begin and the end of transactions, and what others are told: that depends on the time.
    fn take(&self) -> Vec<(String, u64)> {
        let mut taken = std::mem::take(&mut *self.0.lock().unwrap());
        let around = ["BEGIN", "COMMIT", "ROLLBACK", "SELECT pg_notify"];
        taken.retain(|(words, _)| !around.iter().any(|around| words.starts_with(around)));
        let verb = |words: &str| words.split(' ').next().unwrap_or_default().to_owned();
        taken.into_iter().map(|(words, rows)| (verb(&words), rows)).collect()
    }
}

fn submit(id: ExecutionId, owner: WorkerId) -> NewExecution {
    NewExecution {
        id,
        workflow: WorkflowKey { name: "etl".into(), version: "v1".into() },
        input: JsonText::new("{}"),
        idempotency_key: None,
        owner: Some(owner),
        delay: None,
        retry_of: None,
    }
}

fn checkpoint(id: ExecutionId, owner: WorkerId, task: &str, finish: Option<Finish>) -> Checkpoint {
    let now = Instant::now();
    let end = TaskEnd {
        task: TaskId::from(task),
        ordinal: 0,
        state: TaskState::Completed,
        attempts: 1,
        changes: None,
        output: None,
        error: None,
        skip: None,
        started: now,
        ended: now,
    };
    Checkpoint { tasks: vec![end], finish, ..Checkpoint::new(id, owner, 1) }
}

#[tokio::test]
async fn a_batch_takes_as_many_statements_however_much_it_holds() {
    let statements = Statements::default();
    // Beside a second one each thread asks all of them whether it is to log; beside none, those of other tests only their own.
    let _second = tracing::Dispatch::new(Statements::default());
    let _logged = tracing::subscriber::set_default(statements.clone());
    let options = PostgresOptions::from_url(server().url()).unwrap();
    let backend = PostgresBackend::open(options.schema(&schema_name()).unwrap()).await.unwrap();
    let owner = WorkerId::new();
    let worker = NewWorker { id: owner, lease_ttl: Duration::from_secs(60) };
    backend.register_worker(&worker).await.unwrap();
    for size in [1, 20, 500] {
        let ids: Vec<_> = (0..size).map(|_| ExecutionId::new()).collect();
        let submits = ids.iter().map(|id| submit(*id, owner)).collect();
        statements.take();
        backend.commit(Batch { submits, checkpoints: Vec::new() }.into()).await.unwrap();
        let of = |verb: &str, rows| (verb.to_owned(), rows);
        assert_eq!(statements.take(), [of("INSERT", size)], "{size} submits");
        let end = Finish { status: PipelineStatus::Completed, error: None };
        for (task, finish) in [("first", None), ("last", Some(end))] {
            let step = |id: &ExecutionId| checkpoint(*id, owner, task, finish.clone());
            let checkpoints = ids.iter().map(step).collect();
            backend.commit(Batch { submits: Vec::new(), checkpoints }.into()).await.unwrap();
            let mut expected = vec![of("SELECT", 0), of("INSERT", size)];
            expected.extend(finish.as_ref().map(|_| of("UPDATE", size)));
            assert_eq!(statements.take(), expected, "{size} checkpoints of `{task}`");
        }
    }
    backend.close().await;
}
