//! The conformance suite on the reference model, and what else the crate offers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod differential;
mod memory;
mod planted;
mod planted_tenants;
#[cfg(unix)]
mod postgres;
mod registry;
mod report;
mod runner;
mod simulation;
mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use cloacina_core::Backend;
use cloacina_testing::conformance::Harness;
use cloacina_testing::tenant_conformance::TenantHarness;
use cloacina_testing::{MemoryBackend, MemoryTenants};

/// Stores in memory.
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

/// Tenants in memory.
struct MemoryTenantHarness(MemoryTenants);

#[async_trait]
impl TenantHarness for MemoryTenantHarness {
    type Store = MemoryTenants;

    async fn start() -> Self {
        Self(MemoryTenants::new())
    }

    async fn store(&self) -> MemoryTenants {
        self.0.another_handle()
    }

    async fn finish(self) {}
}

cloacina_testing::conformance_suite!(MemoryHarness);
cloacina_testing::tenant_conformance_suite!(MemoryTenantHarness);
