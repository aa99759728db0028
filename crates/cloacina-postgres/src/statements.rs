//! How many statements a batch takes: what a commit costs, counted without a clock.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cloacina_core::backend::{Batch, Checkpoint, NewExecution, NewWorker};
use cloacina_core::{Backend as _, PipelineStatus, SkipReason, WorkerId};
use cloacina_testing::conformance::{CheckpointBuilder, checkpoint, execution, task_end};
use cloacina_testing::postgres::{schema_name, server};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

use crate::{PostgresBackend, PostgresOptions};

/// The first words of the statements that the driver logs.
#[derive(Debug, Default, Clone)]
struct Statements(Arc<Mutex<Vec<String>>>);

#[derive(Default)]
struct Words(String);

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        // The whole text, where the summary does not hold all of it.
        if ["summary", "db.statement"].contains(&field.name()) && !value.is_empty() {
            let lines = value.lines().filter(|line| !line.starts_with("--"));
            self.0 = lines.flat_map(str::split_whitespace).take(2).collect::<Vec<_>>().join(" ");
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
        let mut words = Words::default();
        event.record(&mut words);
        self.0.lock().unwrap().push(words.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

impl Statements {
    /// Takes the verbs of what was logged, but for what becomes of a connection between its uses.
    fn take(&self) -> Vec<String> {
        let mut taken = std::mem::take(&mut *self.0.lock().unwrap());
        let around = ["BEGIN; ROLLBACK", "SET search_path"];
        taken.retain(|words| !around.iter().any(|around| words.starts_with(around)));
        taken.iter().map(|words| words.split(' ').next().unwrap_or_default().to_owned()).collect()
    }
}

fn steps<'n>(
    news: &'n [NewExecution],
    step: impl Fn(CheckpointBuilder) -> CheckpointBuilder + 'n,
) -> Vec<Checkpoint> {
    let of = |new: &NewExecution| step(checkpoint(new.id, new.owner.unwrap(), 1)).into();
    news.iter().map(of).collect()
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
    let (mut all, completed) = (Vec::new(), PipelineStatus::Completed);
    let skip = || task_end("skipped").skipped(SkipReason::Condition);
    for size in [1, 20, 500] {
        let new = |_| execution().owner(owner).into();
        let submits: Vec<NewExecution> = (0..size).map(new).collect();
        let first = steps(&submits, |step| step.task(task_end("first")));
        let second = steps(&submits, |step| step.task(skip()));
        all.extend(steps(&submits, |step| step.task(task_end("last")).finish(completed)));
        let batches = [
            ("submits", submits, Vec::new(), &["WITH"][..]),
            ("completed tasks", Vec::new(), first, &["WITH"]),
            ("skipped tasks", Vec::new(), second, &["BEGIN", "WITH", "INSERT", "COMMIT"]),
        ];
        for (what, submits, checkpoints, expected) in batches {
            statements.take();
            backend.commit(Batch { submits, checkpoints }.into()).await.unwrap();
            assert_eq!(statements.take(), expected, "{size} {what}");
        }
    }
    // All at once: of a second batch of ends the others would be told later, in a transaction beside.
    backend.commit(Batch { submits: Vec::new(), checkpoints: all }.into()).await.unwrap();
    assert_eq!(statements.take(), ["WITH"], "ends");
    backend.close().await;
}
