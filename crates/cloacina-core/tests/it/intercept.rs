//! Functions that are asked before a body.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cloacina_core::{Context, PipelineStatus, RetryPolicy, Task, TaskError, Workflow};
use serde_json::json;

use crate::smoke::executor;

/// The same body, asynchronous and blocking; both count how often they run.
fn bodies(count: &Arc<AtomicUsize>) -> [Task; 2] {
    let (counted, also) = (Arc::clone(count), Arc::clone(count));
    let retry = RetryPolicy::new(2);
    [
        Task::new("a", move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            Box::pin(async {})
        })
        .retry(retry.clone()),
        Task::blocking("a", move |_, _| {
            also.fetch_add(1, Ordering::SeqCst);
        })
        .retry(retry),
    ]
}

#[tokio::test(start_paused = true)]
async fn none_lets_the_body_run_and_some_stands_for_it() {
    let count = Arc::new(AtomicUsize::new(0));
    for body in bodies(&count) {
        let task = body.intercept(|context, run| {
            context.set("attempt", json!(run.attempt));
            (run.attempt == 1).then(|| Err(TaskError::new("not yet")))
        });
        let executor = executor(Workflow::builder("w").task(task).build().unwrap()).await;
        let result = executor.execute("w", Context::new()).await.unwrap();
        assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
        assert_eq!(result.final_context.get("attempt"), Some(&json!(2)), "{result:?}");
        assert_eq!(count.swap(0, Ordering::SeqCst), 1, "the body ran at the second attempt only");
    }
}

#[tokio::test(start_paused = true)]
async fn the_one_added_last_is_asked_first() {
    let task = Task::blocking("a", |_, _| ())
        .intercept(|_, _| Some(Ok(Some(json!("inner")))))
        .intercept(|_, run| (run.attempt == 2).then(|| Ok(Some(json!("outer")))))
        .intercept(|_, run| (run.attempt == 1).then(|| Err(TaskError::new("not yet"))))
        .retry(RetryPolicy::new(2));
    let executor = executor(Workflow::builder("w").task(task).build().unwrap()).await;
    let result = executor.execute("w", Context::new()).await.unwrap();
    assert_eq!(result.task("a").unwrap().output, Some(json!("outer")), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn its_panic_fails_the_attempt() {
    for body in bodies(&Arc::default()) {
        let task = body.intercept(|_, run| {
            assert!(run.attempt > 1, "not at once");
            None
        });
        let executor = executor(Workflow::builder("w").task(task).build().unwrap()).await;
        let result = executor.execute("w", Context::new()).await.unwrap();
        assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
        assert_eq!(result.task("a").unwrap().attempts, 2);
    }
}

#[test]
fn the_version_does_not_depend_on_it() {
    let task = || Task::blocking("a", |_, _| ());
    let plain = Workflow::builder("w").task(task()).build().unwrap();
    let asked = Workflow::builder("w").task(task().intercept(|_, _| None)).build().unwrap();
    assert_eq!(plain.version(), asked.version());
}
