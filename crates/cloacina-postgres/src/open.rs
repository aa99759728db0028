//! Opens a schema.

use std::sync::Arc;
use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};

use crate::PostgresOptions;
use crate::connections::Connections;
use crate::error::Context as _;
use crate::migrate;
use crate::queries::Queries;
use crate::sessions::{self, Sessions};
use crate::wake::{self, Session};

/// How long a call waits for a connection to become free, or to be made.
const PATIENCE: Duration = Duration::from_secs(10);

/// The same for a sign of life, which is soon followed by the next.
const VITAL_PATIENCE: Duration = Duration::from_secs(5);

/// Brings the tables up to date and opens the connections.
pub(crate) async fn open(
    options: &PostgresOptions,
) -> Result<(Arc<Connections>, Session), BackendError> {
    // A connection for the start alone, of which nothing is kept: what comes after depends on what it finds.
    let mut first = connect(&options.connect).await?;
    let opened = open_with(options, &mut first).await;
    let _ = first.close_hard().await;
    opened
}

async fn open_with(
    options: &PostgresOptions,
    first: &mut PgConnection,
) -> Result<(Arc<Connections>, Session), BackendError> {
    migrate::migrate(first, &options.schema).await?;
    let sessions = match options.sessions {
        Some(sessions) => Ok(sessions),
        None => {
            let mut second = connect(&options.connect).await?;
            let found = sessions::find_out(&mut second, first).await;
            let _ = second.close_hard().await;
            found
        }
    };
    let sessions = sessions?;
    let queries = Queries::new(&options.schema, sessions);
    let (pool, vital) =
        (pool(options, options.pool_size, PATIENCE), pool(options, 1, VITAL_PATIENCE));
    let connections = Connections::new(pool, vital, queries);
    let session = match sessions {
        Sessions::Own => {
            let own = self::pool(options, 1, wake::CONNECTING);
            Session::open(own, Arc::clone(&connections), wake::channel(&options.schema))
        }
        Sessions::Shared => {
            tracing::info!(
                schema = options.schema.as_str(),
                "the connections go through a pooler that shares sessions: changes of others are polled for, and the \
                 lease alone tells that a worker is dead"
            );
            Session::none()
        }
    };
    Ok((connections, session))
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, BackendError> {
    let what = format!("connect to {}:{}", options.get_host(), options.get_port());
    match tokio::time::timeout(PATIENCE, options.connect()).await {
        Ok(connected) => connected.during(&what),
        Err(_) => Err(BackendError::Unavailable {
            reason: format!("{what}: no answer within {PATIENCE:?}"),
            source: None,
        }),
    }
}

/// The one place that makes pools. A connection goes back without a transaction, whatever its user did.
fn pool(options: &PostgresOptions, size: u32, patience: Duration) -> PgPool {
    let forgetful = options.forgetful;
    PgPoolOptions::new()
        .max_connections(size)
        .min_connections(0)
        .acquire_timeout(patience)
        .before_acquire(move |connection, _| {
            Box::pin(async move {
                if forgetful {
                    connection.execute("RESET ALL").await?;
                }
                Ok(true)
            })
        })
        .after_release(|connection, _| {
            Box::pin(async move {
                // The server would log a warning at a bare `ROLLBACK` outside a transaction, which is the usual case.
                connection.execute("BEGIN; ROLLBACK").await?;
                Ok(true)
            })
        })
        .connect_lazy_with(options.connect.clone())
}
