//! Finds out whether a connection is a session.
//!
//! A pooler such as PgBouncer in transaction mode gives a session of the server to whichever client has a transaction. Then
//! nothing that lives in a session is of use: locks, prepared statements, listening. Nothing tells so but the sessions themselves.

use std::time::Duration;

use cloacina_core::BackendError;
use sqlx::postgres::PgConnection;
use sqlx::{Executor as _, Row as _};

use crate::error::Context as _;

/// Whether what lives in a session belongs to one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sessions {
    /// A connection is a session.
    Own,
    /// A pooler gives a session to whoever has a transaction.
    Shared,
}

/// How often to look. A pooler hands out the session that was used last, or each in its turn: either shows at the first
/// look, unless other clients come in between.
const LOOKS: usize = 10;

/// How long the looks may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Compares the sessions of two connections, of which one has a transaction meanwhile. Neither is to be used afterwards.
///
/// Two poolers at one address are not found out if each gets one of the connections.
pub(crate) async fn find_out(
    idle: &mut PgConnection,
    busy: &mut PgConnection,
) -> Result<Sessions, BackendError> {
    // One that waits is waiting for the session that the other one has.
    tokio::time::timeout(PATIENCE, compare(idle, busy)).await.unwrap_or(Ok(Sessions::Shared))
}

async fn compare(
    idle: &mut PgConnection,
    busy: &mut PgConnection,
) -> Result<Sessions, BackendError> {
    let what = "find out whether sessions are shared";
    let session = session(idle).await.during(what)?;
    for _ in 0..LOOKS {
        busy.execute("BEGIN").await.during(what)?;
        let other = self::session(busy).await.during(what)?;
        let meanwhile = self::session(idle).await.during(what)?;
        busy.execute("ROLLBACK").await.during(what)?;
        // A pooler may give it what the other one has just given back, or has more than one to give, each in its turn.
        let afterwards = self::session(idle).await.during(what)?;
        let again = self::session(idle).await.during(what)?;
        if other == session || [meanwhile, afterwards, again] != [session; 3] {
            return Ok(Sessions::Shared);
        }
    }
    Ok(Sessions::Own)
}

/// Tells which session serves a connection right now.
async fn session(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}
