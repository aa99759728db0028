//! The ways in which a batch is committed, and when the others are told of it.

use std::sync::Arc;

use cloacina_core::BackendError;
use cloacina_core::backend::{Batch, BatchVerdicts};

use super::PostgresBackend;
use crate::commit::{self, Repetition};
use crate::error::{is_hampered, is_lost_with, is_unexpected};
use crate::ordinary::is_ordinary;
use crate::wake;

impl PostgresBackend {
    /// Commits a batch, and sees to it that the others are told if it concerns them.
    pub(super) async fn commit_batch(
        &self,
        batch: &Arc<Batch>,
    ) -> Result<BatchVerdicts, BackendError> {
        let concerns_others = commit::concerns_others(batch);
        let tells = concerns_others && self.pace.takes_turn();
        let announces = !tells && commit::takes_up(batch) && self.pace.announces();
        let committed = self.commit_in_turn(batch, tells || announces).await;
        if announces && committed.is_err() {
            self.pace.announces_anew();
        }
        if concerns_others && (!tells || committed.is_err()) {
            self.tell_later();
        }
        committed
    }

    /// Tries the cheapest way first, and goes on with care if that meets something else than most batches do.
    async fn commit_in_turn(
        &self,
        batch: &Arc<Batch>,
        tell: bool,
    ) -> Result<BatchVerdicts, BackendError> {
        let repetition = match self.commit_at_once(batch, tell).await {
            Some(Err(error)) if is_unexpected(&error) => Repetition::Possible,
            // The answer may have been lost, or never asked for on a connection that was lost while it was idle.
            Some(Err(error)) if is_lost_with(&error) => Repetition::Possible,
            Some(Err(error)) if is_hampered(&error) => Repetition::Unlikely,
            Some(committed) => return committed,
            None => Repetition::Unlikely,
        };
        match self.try_commit(batch, repetition, tell).await {
            Err(error) if repetition == Repetition::Unlikely && is_unexpected(&error) => {
                self.try_commit(batch, Repetition::Possible, tell).await
            }
            committed => committed,
        }
    }

    /// Commits a batch of the ordinary kind in one statement, where that can be.
    async fn commit_at_once(
        &self,
        batch: &Arc<Batch>,
        tell: bool,
    ) -> Option<Result<BatchVerdicts, BackendError>> {
        if !is_ordinary(batch) {
            return None;
        }
        let batch = Arc::clone(batch);
        let sender = tell.then(|| self.seat.sender().clone());
        let committed =
            self.connections.statement("commit a batch", move |connection, queries, clock| {
                Box::pin(async move {
                    commit::at_once(connection, queries, clock, &batch, sender.as_ref()).await
                })
            });
        committed.await
    }

    async fn try_commit(
        &self,
        batch: &Arc<Batch>,
        repetition: Repetition,
        tell: bool,
    ) -> Result<BatchVerdicts, BackendError> {
        let (batch, sender) = (Arc::clone(batch), self.seat.sender().clone());
        let what = "commit a batch";
        let committed = self.connections.write(what, move |connection, queries, clock| {
            Box::pin(async move {
                let batch = commit::commit(connection, queries, clock, &batch, repetition);
                let verdicts = batch.await?;
                if tell {
                    wake::tell(connection, queries, &sender).await?;
                }
                Ok(verdicts)
            })
        });
        committed.await
    }

    /// Tells the others before long of what was committed, unless the next commit does.
    fn tell_later(&self) {
        let Some(due) = self.pace.owe() else { return };
        let (connections, pace) = (Arc::clone(&self.connections), Arc::clone(&self.pace));
        let sender = self.seat.sender().clone();
        self.connections.beside(async move {
            tokio::time::sleep_until(due).await;
            if !pace.pays() {
                return;
            }
            let told = connections.write("tell the others", move |connection, queries, _| {
                Box::pin(async move { wake::tell(connection, queries, &sender).await })
            });
            if let Err(error) = told.await {
                // They look for themselves now and then.
                tracing::debug!(%error, "others could not be told");
            }
        });
    }
}
