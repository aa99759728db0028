//! The conformance suite on schemas of a real server.

use std::sync::Arc;

use async_trait::async_trait;
use cloacina_core::Backend;
use cloacina_core::backend::ProofOfDeath;
use cloacina_postgres::{PostgresBackend, PostgresOptions};
use cloacina_testing::conformance::Harness;
use cloacina_testing::postgres::{pooler, schema_name, server};

use crate::support::{open, raw, raw_to, run};

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

/// Behind a pooler that shares its sessions.
mod pooled {
    use super::*;

    pub(crate) struct PooledHarness {
        schema: String,
    }

    #[async_trait]
    impl Harness for PooledHarness {
        async fn start() -> Self {
            Self { schema: schema_name() }
        }

        async fn handle(&self) -> Arc<dyn Backend> {
            let options = PostgresOptions::from_url(pooler().url()).unwrap();
            let options = options.schema(&self.schema).unwrap().pool_size(4);
            Arc::new(PostgresBackend::open(options).await.unwrap())
        }

        fn proof(&self) -> ProofOfDeath {
            ProofOfDeath::Lease
        }

        async fn finish(self) {
            let mut connection = raw_to(pooler().server().url()).await;
            run(&mut connection, &format!("DROP SCHEMA {} CASCADE", self.schema)).await;
        }
    }

    cloacina_testing::conformance_suite!(PooledHarness);
}

/// In a schema whose name is a word of SQL, in sessions that forget their settings.
mod forgetful {
    use super::*;

    /// A database of its own, so that each may have a schema of that name.
    pub(crate) struct ForgetfulHarness {
        database: String,
    }

    #[async_trait]
    impl Harness for ForgetfulHarness {
        async fn start() -> Self {
            let database = schema_name();
            run(&mut raw().await, &format!("CREATE DATABASE {database}")).await;
            Self { database }
        }

        async fn handle(&self) -> Arc<dyn Backend> {
            let (place, _) = server().url().rsplit_once('/').unwrap();
            let options = PostgresOptions::from_url(&format!("{place}/{}", self.database));
            let options = options.unwrap().schema("order").unwrap().pool_size(4);
            Arc::new(PostgresBackend::open(options.forgetful_sessions()).await.unwrap())
        }

        async fn finish(self) {
            run(&mut raw().await, &format!("DROP DATABASE {} WITH (FORCE)", self.database)).await;
        }
    }

    cloacina_testing::conformance_suite!(ForgetfulHarness);
}
