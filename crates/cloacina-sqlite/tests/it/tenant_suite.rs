//! The conformance suite for what holds many tenants, on folders.

use async_trait::async_trait;
use cloacina_sqlite::SqliteTenants;
use cloacina_testing::tenant_conformance::TenantHarness;
use tempfile::TempDir;

/// A folder within a folder of its own.
pub(crate) struct FolderHarness(TempDir);

#[async_trait]
impl TenantHarness for FolderHarness {
    type Store = SqliteTenants;

    async fn start() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn store(&self) -> SqliteTenants {
        SqliteTenants::new(self.0.path().join("tenants")).unwrap()
    }

    async fn finish(self) {
        self.0.close().unwrap();
    }
}

cloacina_testing::tenant_conformance_suite!(FolderHarness);
