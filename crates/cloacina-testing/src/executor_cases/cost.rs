//! What the engine asks of its store, by counts: these do not depend on how fast the machine is.

use std::time::Duration;

use cloacina_core::{PipelineStatus, Workflow};

use super::bodies::idle;
use super::fixture::{ExecutorBuilder, ExecutorFixture, until, workflow};
use super::shared::Calls;

/// A lease of which a third is short.
fn quick(builder: ExecutorBuilder) -> ExecutorBuilder {
    builder.lease_ttl(Duration::from_millis(600))
}

fn chain() -> Workflow {
    workflow("chain", [idle("a"), idle("b").depends_on(["a"]), idle("c").depends_on(["b"])])
}

/// Waits for so many heartbeats, and returns what else was asked meanwhile. Waiting for changes is no question; where nobody can tell of
/// them, they are looked for all the time, and that is left out.
async fn asked_in(calls: &Calls, heartbeats: usize) -> Vec<&'static str> {
    calls.take();
    until("heartbeats", async || calls.count("heartbeat") >= heartbeats).await;
    let made = calls.take();
    let waits = made.iter().filter(|call| **call == "changed").count();
    if waits > 2 * heartbeats {
        return Vec::new();
    }
    made.into_iter().filter(|call| !["heartbeat", "changed"].contains(call)).collect()
}

/// Catches an executor that looks for work which nobody announced, again and again.
pub async fn an_idle_executor_asks_for_nothing_but_its_heartbeat(fx: &ExecutorFixture) {
    let (process, backend) = fx.process_and_backend([chain()], quick).await;
    let calls = backend.calls();
    // What it looks for at its start, after it has worked, and after a heartbeat that got no answer in time, is over when one
    // has found nothing to do.
    let is_idle = async || asked_in(&calls, 4).await.is_empty();
    until("nothing is asked after the start", is_idle).await;
    let result = process.run("chain").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    until("nothing is asked after the work", is_idle).await;
}

/// Catches commits and reads that a lone execution does not need: it takes one for its submit, and one for each of its tasks, of
/// which the last ends it.
pub async fn a_lone_chain_of_three_takes_four_commits(fx: &ExecutorFixture) {
    let rare = |builder: ExecutorBuilder| builder.lease_ttl(Duration::from_secs(3_600));
    let (process, backend) = fx.process_and_backend([chain()], rare).await;
    let calls = backend.calls();
    // Of other versions, and of what it owns without knowing.
    until("the looks at the start", async || calls.count("list") >= 2).await;
    calls.take();
    let result = process.run("chain").await;
    assert_eq!(result.status, PipelineStatus::Completed, "{result:?}");
    assert_eq!(calls.count("commit"), 4);
}

/// Under load, in virtual time: on a store whose commits take a while everything else is done in between.
#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use cloacina_core::{Context, PipelineStatus, Task};
    use futures_util::future::join_all;

    use super::{chain, workflow};
    use crate::MemoryBackend;
    use crate::executor_cases::{Executor, SharedBackend};

    #[tokio::test(start_paused = true)]
    async fn a_thousand_chains_share_their_commits() {
        let backend = SharedBackend::new(Arc::new(MemoryBackend::new()));
        let (stall, calls) = (backend.stall(), backend.calls());
        let executor = Executor::builder().workflows([chain()]).build_on(backend).await.unwrap();
        let slow = async {
            // One commit gets through each time.
            loop {
                let held = stall.lock().await;
                tokio::time::sleep(Duration::from_millis(1)).await;
                drop(held);
            }
        };
        let chains = join_all((0..1_000).map(|_| executor.execute("chain", Context::new())));
        let results = tokio::select! {
            results = chains => results,
            () = slow => unreachable!("it goes on for ever"),
        };
        for result in results {
            assert_eq!(result.unwrap().status, PipelineStatus::Completed);
        }
        let made = calls.take();
        let commits = made.iter().filter(|call| **call == "commit").count();
        // Four rounds of a thousand items, of which the first goes alone and 1,024 fit into one commit.
        assert!((4..=8).contains(&commits), "{commits} commits");
        for needless in ["load", "standing", "release"] {
            assert!(!made.contains(&needless), "{made:?}");
        }
        executor.shutdown().await.unwrap();
    }

    /// Catches runners that make one attempt after the other for as long as there are any: heartbeats, timers and commits share
    /// their thread.
    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a body that keeps its thread busy")]
    async fn bodies_that_compute_leave_others_their_turns() {
        let bodies = Arc::new(AtomicUsize::new(0));
        let made = Arc::clone(&bodies);
        let compute = move || {
            std::thread::sleep(Duration::from_micros(200));
            made.fetch_add(1, Ordering::Relaxed);
        };
        let compute = Task::new("compute", move |_, _| {
            compute();
            Box::pin(async {})
        });
        let single = workflow("single", [compute]);
        let builder = Executor::builder().workflows([single]);
        let backend = SharedBackend::new(Arc::new(MemoryBackend::new()));
        let executor = builder.build_on(backend).await.unwrap();
        let singles = join_all((0..1_000).map(|_| executor.execute("single", Context::new())));
        let mut singles = std::pin::pin!(singles);
        let (mut before, mut most) = (0, 0);
        let results = loop {
            tokio::select! {
                biased;
                results = &mut singles => break results,
                () = tokio::task::yield_now() => {}
            }
            let now = bodies.load(Ordering::Relaxed);
            most = most.max(now - std::mem::replace(&mut before, now));
        };
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        // The runtime gives this task its turn once in 61.
        assert!(most <= 100, "{most} bodies in a row");
        executor.shutdown().await.unwrap();
    }
}
