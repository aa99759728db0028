//! Tenants with a role of their own pass what every store of tenants passes, and what every manager of tenants does.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use cloacina_admin::SecureTenants;
use cloacina_core::TenantStore as _;
use cloacina_postgres::{PostgresOptions, PostgresTenants};
use cloacina_testing::postgres::server;
use cloacina_testing::tenant_conformance::TenantHarness;

use crate::runtime;
use crate::support::{Place, connect, run};

/// A database of its own, in which nobody has more rights than the document says.
pub(crate) struct SecureHarness {
    place: Place,
    runtime_url: String,
    prefix: String,
}

#[async_trait]
impl TenantHarness for SecureHarness {
    type Store = SecureTenants;

    async fn start() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (place, runtime_url) = runtime::place().await;
        // Short, so that there is room for the longest name of a tenant; tests of other processes use the same server.
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("t{:x}_{next}_", std::process::id());
        Self { place, runtime_url, prefix }
    }

    async fn store(&self) -> SecureTenants {
        let admin = self.place.admin().runtime_role(self.place.runtime_role());
        let options = PostgresOptions::from_url(&self.runtime_url).unwrap().pool_size(5);
        let store = SecureTenants::new(admin, PostgresTenants::with_options(options));
        // It connects, and hears, from its first call on.
        store.list().await.unwrap();
        store.role_prefix(self.prefix.as_str())
    }

    async fn finish(self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.place.database);
        run(&mut connect(server().url()).await, &drop).await;
    }
}

cloacina_testing::tenant_conformance_suite!(SecureHarness);
