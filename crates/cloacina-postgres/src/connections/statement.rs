//! Statements that are transactions by themselves.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloacina_core::BackendError;
use sqlx::postgres::PgConnection;

use super::{Connections, Operation, Ownership, silent};
use crate::clock::Clock;
use crate::pools::Settings;
use crate::queries::Queries;

impl Connections {
    /// Runs an operation that is one statement, and so a transaction by itself: in one round trip instead of three. It tells the
    /// server's time beside what it returns. Nothing is run where that is not to be had: where a transaction needs to be told what
    /// it is to be, or before the time is known.
    pub(crate) async fn statement<T, F>(
        self: &Arc<Self>,
        what: &'static str,
        operation: F,
    ) -> Option<Result<T, BackendError>>
    where
        T: Send + 'static,
        F: for<'c> FnOnce(
                &'c mut PgConnection,
                &'c Queries,
                Clock,
            ) -> Operation<'c, (T, DateTime<Utc>)>
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
            let Ok(done) = tokio::time::timeout(patience, work).await else {
                // Nobody else may get it.
                connection.close_on_drop();
                return Err(silent(what, patience));
            };
            let (done, now) = done?;
            this.clocks.read(now);
            Ok(done)
        });
        Some(done.await)
    }
}
