//! Counts under load, in virtual time: on a store whose commits take a while everything else is done in between.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::{Context, PipelineStatus};
use futures_util::future::join_all;

use super::chain;
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
