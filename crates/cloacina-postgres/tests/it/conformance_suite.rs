//! The conformance suite on schemas of a real server.

use std::sync::Arc;

use async_trait::async_trait;
use cloacina_core::Backend;
use cloacina_testing::conformance::Harness;
use cloacina_testing::postgres::schema_name;

use crate::support::{open, raw, run};

/// A schema of its own. One that is left behind belongs to a failed case.
pub(crate) struct PostgresHarness {
    schema: String,
}

#[async_trait]
impl Harness for PostgresHarness {
    async fn start() -> Self {
        Self { schema: schema_name() }
    }

    async fn handle(&self) -> Arc<dyn Backend> {
        Arc::new(open(&self.schema).await)
    }

    async fn finish(self) {
        run(&mut raw().await, &format!("DROP SCHEMA {} CASCADE", self.schema)).await;
    }
}

cloacina_testing::conformance_suite!(PostgresHarness);
