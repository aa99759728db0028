//! The same random operations give the same answers in memory and on PostgreSQL.

use std::sync::Arc;

use async_trait::async_trait;
use cloacina_core::Backend;
use cloacina_testing::MemoryBackend;
use cloacina_testing::conformance::Harness;
use cloacina_testing::differential::same_answers;

use crate::conformance_suite::PostgresHarness;

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
async fn postgres_answers_as_the_reference_model_does() {
    for seed in 0..12 {
        let (model, postgres) = (MemoryHarness::start().await, PostgresHarness::start().await);
        Box::pin(same_answers(&model, &postgres, seed, 250)).await;
        postgres.finish().await;
    }
}
