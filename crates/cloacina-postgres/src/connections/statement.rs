//! Statements that are transactions by themselves.

use std::sync::Arc;

use cloacina_core::BackendError;
use sqlx::postgres::PgConnection;

use super::at_hand::{self, Kept};
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
            let mut at_hand = match this.at_hand.take() {
                Some(at_hand) => at_hand,
                None => Kept::new(this.pools.general().acquire(what).await?),
            };
            let work = operation(&mut at_hand.connection, &this.queries, clock);
            match tokio::time::timeout(patience, work).await {
                Ok(done) => {
                    if done.is_ok() {
                        this.keep_at_hand(at_hand);
                    }
                    done
                }
                Err(_) => {
                    // Nobody else may get it.
                    at_hand.connection.close_on_drop();
                    Err(silent(what, patience))
                }
            }
        });
        Some(done.await)
    }

    /// Keeps a connection for the next statement, and sees to it that it goes back to its pool if there is none.
    fn keep_at_hand(self: &Arc<Self>, one: Kept) {
        // Whoever may wait for a connection is not kept waiting for one that may be used again.
        if self.is_closed() || self.pools.general().is_drained() || !self.at_hand.keep(one) {
            return;
        }
        let this = Arc::clone(self);
        self.beside(async move {
            loop {
                let closing = this.closing.notified();
                if this.is_closed() || !this.at_hand.give_back(at_hand::REST) {
                    return;
                }
                let _ = tokio::time::timeout(at_hand::REST, closing).await;
            }
        });
    }
}
