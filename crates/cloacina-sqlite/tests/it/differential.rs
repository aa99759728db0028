//! The same random operations give the same answers in memory and on a file.

use std::sync::Arc;

use async_trait::async_trait;
use cloacina_core::Backend;
use cloacina_testing::MemoryBackend;
use cloacina_testing::conformance::Harness;
use cloacina_testing::differential::same_answers;

use crate::conformance_suite::SqliteHarness;

struct MemoryHarness(MemoryBackend);

#[async_trait]
impl Harness for MemoryHarness {
    async fn start() -> Self {
        Self(MemoryBackend::new())
    }

    async fn handle(&self) -> Arc<dyn Backend> {
        Arc::new(self.0.another_handle())
    }

    async fn finish(self) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_answers_as_the_reference_model_does() {
    for seed in 0..12 {
        let (model, sqlite) = (MemoryHarness::start().await, SqliteHarness::start().await);
        Box::pin(same_answers(&model, &sqlite, seed, 250)).await;
        sqlite.finish().await;
    }
}
