//! Executions of other versions: they are taken up if what they completed still fits, and otherwise left alone.

use std::collections::HashSet;
use std::sync::Arc;

use super::Engine;
use super::control::Fit;
use crate::backend::{Adoption, ClaimScope, ExecutionQuery};
use crate::{BackendError, ExecutionId, PipelineStatus};

/// How many executions of other versions are looked at in one query, and in how many queries between two heartbeats.
const STRANGERS_PAGE: u32 = 256;
const STRANGERS_PAGES: usize = 16;

/// Whether more executions of other versions are to be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Page {
    More,
    Last,
}

/// Executions of other versions that were looked at.
#[derive(Default)]
pub(super) struct Strangers {
    /// Those that do not fit the workflow as it is known here.
    refused: HashSet<ExecutionId>,
    /// Where the next page begins.
    page: Option<ExecutionId>,
}

impl Engine {
    /// Looks through executions of other versions, not all at once if there are many.
    pub(super) async fn claim_all_strangers(self: &Arc<Self>, strangers: &mut Strangers) {
        for _ in 0..STRANGERS_PAGES {
            if self.claim_strangers(strangers).await == Page::Last {
                break;
            }
        }
    }

    /// Claims executions of another version of a known workflow, if what they completed still fits.
    ///
    /// The others are left alone for a worker that knows their version.
    async fn claim_strangers(self: &Arc<Self>, strangers: &mut Strangers) -> Page {
        // Looked at while no claim is under way, since a claim holds all the places that there are.
        let room = {
            let _control = self.control.lock().await;
            self.room()
        };
        if room == 0 {
            return Page::Last;
        }
        match self.fitting_strangers(strangers).await {
            Ok(fitting) if fitting.is_empty() => {}
            Ok(fitting) => {
                let wanted = fitting.len();
                match self.claim_scope(wanted, ClaimScope::Adopt(fitting)).await {
                    // The others are looked at again once there is room, from the first page on.
                    Ok(claimed) if claimed.places < wanted => strangers.page = None,
                    Ok(_) => {}
                    Err(error) => {
                        tracing::warn!(%error, "claiming executions of another version failed");
                        // It held places meanwhile.
                        self.claim_more();
                        return Page::Last;
                    }
                }
            }
            Err(error) => {
                tracing::warn!(%error, "looking for executions of other versions failed");
                return Page::Last;
            }
        }
        if strangers.page.is_some() { Page::More } else { Page::Last }
    }

    /// Looks through one page of executions that no known version covers.
    async fn fitting_strangers(
        &self,
        strangers: &mut Strangers,
    ) -> Result<Vec<Adoption>, BackendError> {
        let mut query = ExecutionQuery::new()
            .unowned()
            // What is paused cannot be claimed.
            .status(PipelineStatus::Pending)
            .status(PipelineStatus::Running)
            .excluding(self.workflows.keys())
            .limit(STRANGERS_PAGE);
        query.before = strangers.page;
        let page = self.backend.list(&query).await?;
        let whole = page.len() == STRANGERS_PAGE as usize;
        strangers.page = page.last().map(|record| record.id).filter(|_| whole);
        let mut fitting = Vec::new();
        for record in page {
            let Some(workflow) = self.workflows.get(&record.workflow.name) else { continue };
            if strangers.refused.contains(&record.id) {
                continue;
            }
            match self.fit(workflow, record.id).await {
                Ok(Some(Fit::Fits(adoption))) => fitting.push(adoption),
                Ok(Some(Fit::Misfit(reason))) => {
                    let workflow = workflow.name();
                    tracing::warn!(execution_id = %record.id, workflow, reason,
                        "an execution waits for a worker that knows its version");
                    strangers.refused.insert(record.id);
                }
                Ok(None) => {}
                Err(error) if error.is_transient() => return Err(error),
                // It may be repaired, and is looked at again; the others do not wait for that.
                Err(error) => tracing::error!(execution_id = %record.id, %error,
                    "an execution of another version cannot be read"),
            }
        }
        Ok(fitting)
    }
}
