//! Statements that are transactions by themselves.

use std::sync::Arc;

use cloacina_core::BackendError;
use sqlx::postgres::PgConnection;

use super::{Connections, Operation, Ownership};
use crate::clock::Clock;
use crate::error::silent;
use crate::pools::Settings;
use crate::queries::Queries;

impl Connections {
    /// Runs an operation that is one statement, and so a transaction by itself: in one round trip instead of three. Nothing is run
    /// where that is not to be had: where a transaction needs to be told what it is to be, or before the time is known.
    ///
    /// The time is estimated, and its answer is no reading: that has waited for the disk. Signs of life take readings.
    pub(crate) async fn statement<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        operation: F,
    ) -> Option<Result<T, BackendError>>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(&'c mut PgConnection, &'c Queries, Clock) -> Operation<'c, T>
            + Send
            + 'static,
    {
        if self.ownership == Ownership::Shared
            || self.pools.settings() == Settings::Lost
            || !self.scope.is_open()
        {
            return None;
        }
        let clock = self.clocks.estimate()?;
        let (this, patience) = (Arc::clone(self), self.longest() * 2);
        let done = self.spawn(async move {
            let mut connection = this.pools.general().acquire(what).await?;
            let work = operation(&mut connection, &this.queries, clock);
            match tokio::time::timeout(patience, work).await {
                Ok(done) => done,
                Err(_) => {
                    // Nobody else may get it.
                    connection.close_on_drop();
                    Err(silent(what, patience))
                }
            }
        });
        Some(done.await)
    }
}
