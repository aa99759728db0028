//! Opens an address, and the schemas that are worked on there.

use std::sync::Arc;

use cloacina_core::BackendError;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use crate::PostgresOptions;
use crate::begin::Scope;
use crate::connections::{Connections, Ownership};
use crate::migrate::{self, Missing};
use crate::pools::{self, Extent, Pool, Pools};
use crate::queries::Queries;
use crate::schema::SchemaName;
use crate::sessions::{self, Sessions};
use crate::wake::{self, Seat, Session};

/// An address at which one schema or many are worked on: its connections, and the session that hears from others.
pub(crate) struct Site {
    pub(crate) pools: Arc<Pools>,
    pub(crate) session: Arc<Session>,
    pub(crate) sessions: Sessions,
}

impl Site {
    /// Finds out what the sessions are and makes the pools. `first` is not to be used afterwards.
    pub(crate) async fn open(
        options: &PostgresOptions,
        size: u32,
        first: &mut PgConnection,
    ) -> Result<Self, BackendError> {
        let sessions = match options.sessions {
            Some(sessions) => sessions,
            None => {
                let mut second = pools::connect(&options.connect).await?;
                let found = sessions::find_out(&mut second, first).await;
                let _ = second.close_hard().await;
                found?
            }
        };
        let own = Arc::default();
        let session = match sessions {
            Sessions::Own => {
                let pool = Pool::new(options, Extent::Fixed, wake::CONNECTING, None);
                Session::open(pool, Arc::clone(&own))
            }
            Sessions::Shared => {
                tracing::info!(
                    "the connections go through a pooler that shares sessions: changes of others are polled for, and the \
                     lease alone tells that a worker is dead"
                );
                Session::none()
            }
        };
        Ok(Self { pools: Pools::new(options, size, sessions, own), session, sessions })
    }

    /// Begins to work on a schema.
    pub(crate) fn enter(
        &self,
        schema: &SchemaName,
        scope: Scope,
        ownership: Ownership,
    ) -> (Arc<Connections>, Seat) {
        let queries = Queries::new(schema, self.sessions);
        let connections = Connections::new(Arc::clone(&self.pools), ownership, scope, queries);
        let seat = self.session.join(schema, Arc::clone(&connections), ownership);
        (connections, seat)
    }
}

/// Brings the tables of a schema up to date and opens connections for it alone.
pub(crate) async fn open(
    mut options: PostgresOptions,
) -> Result<(Arc<Connections>, Seat), BackendError> {
    // A connection for the start alone, of which nothing is kept: what comes after depends on what it finds.
    let mut first = pools::first(&mut options).await?;
    let opened = open_with(&options, &mut first).await;
    let _ = first.close_hard().await;
    opened
}

async fn open_with(
    options: &PostgresOptions,
    first: &mut PgConnection,
) -> Result<(Arc<Connections>, Seat), BackendError> {
    migrate::migrate(first, &options.schema, None, Missing::Create).await?;
    let site = Site::open(options, options.pool_size, first).await?;
    Ok(site.enter(&options.schema, Scope::default(), Ownership::Own))
}
