//! What was told of schemas on which nobody works here.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cloacina_core::{Changes, TenantId};
use tokio::sync::Notify;

/// More schemas than this are not remembered: whoever may connect to the database can tell as many as they like.
const MOST: usize = 10_000;

/// The schemas of which something was told since the last look.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    since: Mutex<Since>,
    told: Notify,
}

#[derive(Debug, Default)]
struct Since {
    schemas: BTreeSet<TenantId>,
    anywhere: Option<Anywhere>,
}

/// Something may have gone unheard.
#[derive(Debug)]
struct Anywhere;

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Since> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a schema of which something was told. What is no name of a tenant is no news.
    pub(crate) fn note(&self, schema: &str) {
        let Ok(tenant) = TenantId::new(schema) else { return };
        let mut since = self.lock();
        if since.schemas.len() < MOST {
            since.schemas.insert(tenant);
        } else {
            // Somebody floods the channel: who is among those that do not fit shows a look at all.
            since.anywhere = Some(Anywhere);
        }
        self.told.notify_one();
    }

    /// Notes that nothing was heard for a while.
    pub(crate) fn note_anywhere(&self) {
        self.lock().anywhere = Some(Anywhere);
        self.told.notify_one();
    }

    /// Waits for news. Cancel safe.
    pub(crate) async fn changes(&self) -> Changes {
        loop {
            {
                let mut since = self.lock();
                if since.anywhere.take().is_some() {
                    since.schemas.clear();
                    return Changes::Anywhere;
                }
                if !since.schemas.is_empty() {
                    return Changes::In(std::mem::take(&mut since.schemas).into_iter().collect());
                }
            }
            self.told.notified().await;
        }
    }
}
