//! The conformance suite on SQLite files.

use std::sync::Arc;

use async_trait::async_trait;
use cloacina_core::Backend;
use cloacina_sqlite::{SqliteBackend, SqliteOptions};
use cloacina_testing::conformance::Harness;
use tempfile::TempDir;

/// A file in a folder of its own.
struct SqliteHarness(TempDir);

#[async_trait]
impl Harness for SqliteHarness {
    async fn start() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn handle(&self) -> Arc<dyn Backend> {
        let options = SqliteOptions::new(self.0.path().join("tenant.db"));
        Arc::new(SqliteBackend::open(options).await.unwrap())
    }

    async fn finish(self) {
        self.0.close().unwrap();
    }
}

cloacina_testing::conformance_suite!(SqliteHarness);
