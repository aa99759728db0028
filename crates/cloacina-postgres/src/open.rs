//! Opens a schema.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::Executor as _;
use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::PostgresOptions;
use crate::connections::Connections;
use crate::error::Context as _;
use crate::migrate;
use crate::queries::Queries;

/// How long a call waits for a connection to become free.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the connections and brings the tables up to date.
pub(crate) async fn open(options: &PostgresOptions) -> Result<Arc<Connections>, BackendError> {
    let pool = pool(options, options.pool_size);
    let migrated = async {
        let mut connection = pool.acquire().await.during("connect to the database")?;
        migrate::migrate(&mut connection, &options.schema).await
    };
    if let Err(error) = migrated.await {
        pool.close().await;
        return Err(error);
    }
    Ok(Connections::new(pool, Queries::new(&options.schema)))
}

/// The one place that makes pools. A connection goes back without a transaction, whatever its user did.
pub(crate) fn pool(options: &PostgresOptions, size: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(size)
        .min_connections(0)
        .acquire_timeout(PATIENCE)
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.execute("ROLLBACK").await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options.connect.clone())
}
