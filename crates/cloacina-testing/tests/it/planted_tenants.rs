//! The cases of the suite for tenants fail on stores with a bug.

use std::time::Duration;

use async_trait::async_trait;
use cloacina_core::{
    BackendError, Changes, Creation, Removal, TenantError, TenantId, TenantStore, TenantWork,
};
use cloacina_testing::tenant_conformance::{self, TenantFixture, TenantHarness};
use cloacina_testing::{MemoryBackend, MemoryTenants};

use crate::planted::panic_of;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bug {
    /// A tenant is created again by whoever asks.
    CreatesAnew,
    /// An unknown tenant is created when it is opened.
    OpensAnything,
    /// All tenants are one.
    SharesTenants,
    /// The list is in no order.
    ListsBackwards,
    /// To ask for a tenant creates it.
    CreatesWhatIsAskedFor,
    /// Only the name of a tenant is removed.
    KeepsContent,
    /// A tenant in use is removed all the same.
    RemovesWhatIsUsed,
    /// What is owned needs nobody.
    ForgetsOwned,
    /// What falls due later is due now.
    HurriesDelays,
    /// All tenants are looked at, whoever was asked for.
    LooksAtAll,
    /// The store stays open.
    NeverCloses,
}

/// Makes faulty stores.
struct PlantedTenants {
    inner: MemoryTenants,
    bug: Bug,
}

#[derive(Debug)]
struct Planted {
    inner: MemoryTenants,
    bug: Bug,
}

#[async_trait]
impl TenantHarness for PlantedTenants {
    type Store = Planted;

    async fn start() -> Self {
        Self { inner: MemoryTenants::new(), bug: Bug::CreatesAnew }
    }

    async fn store(&self) -> Planted {
        Planted { inner: self.inner.another_handle(), bug: self.bug }
    }

    async fn finish(self) {}
}

#[async_trait]
impl TenantStore for Planted {
    type Backend = MemoryBackend;

    async fn create(&self, tenant: &TenantId) -> Result<Creation, TenantError> {
        let creation = self.inner.create(tenant).await?;
        Ok(if self.bug == Bug::CreatesAnew { Creation::Created } else { creation })
    }

    async fn open(&self, tenant: &TenantId) -> Result<MemoryBackend, TenantError> {
        match self.bug {
            Bug::OpensAnything => {
                self.inner.create(tenant).await?;
            }
            Bug::SharesTenants => {
                let tenants = self.inner.list().await?;
                return self.inner.open(tenants.first().unwrap_or(tenant)).await;
            }
            _ => {}
        }
        self.inner.open(tenant).await
    }

    async fn list(&self) -> Result<Vec<TenantId>, TenantError> {
        let mut tenants = self.inner.list().await?;
        if self.bug == Bug::ListsBackwards {
            tenants.reverse();
        }
        Ok(tenants)
    }

    async fn exists(&self, tenant: &TenantId) -> Result<bool, TenantError> {
        if self.bug == Bug::CreatesWhatIsAskedFor {
            self.inner.create(tenant).await?;
        }
        self.inner.exists(tenant).await
    }

    async fn remove(&self, tenant: &TenantId) -> Result<Removal, TenantError> {
        match (self.bug, self.inner.exists(tenant).await?) {
            (Bug::KeepsContent, true) => return Ok(Removal::Removed),
            (Bug::RemovesWhatIsUsed, true) => {
                return match self.inner.remove(tenant).await {
                    Err(TenantError::Store(error))
                        if matches!(*error, BackendError::Unavailable { .. }) =>
                    {
                        Ok(Removal::Removed)
                    }
                    answer => answer,
                };
            }
            _ => {}
        }
        self.inner.remove(tenant).await
    }

    async fn work(&self, among: Option<&[TenantId]>) -> Result<Vec<TenantWork>, TenantError> {
        let among = among.filter(|_| self.bug != Bug::LooksAtAll);
        let mut work = self.inner.work(among).await?;
        for one in &mut work {
            match self.bug {
                Bug::ForgetsOwned => one.owned = false,
                Bug::HurriesDelays => one.next_due = one.next_due.map(|_| Duration::ZERO),
                _ => {}
            }
        }
        Ok(work)
    }

    async fn changed(&self, poll: Duration) -> Changes {
        self.inner.changed(poll).await
    }

    async fn close(&self) {
        if self.bug != Bug::NeverCloses {
            self.inner.close().await;
        }
    }
}

fn assert_caught(bug: Bug, case: impl AsyncFnOnce(&TenantFixture<PlantedTenants>)) {
    let said = panic_of(async || {
        let harness = PlantedTenants { inner: MemoryTenants::new(), bug };
        let fixture = TenantFixture::new(harness).await;
        Box::pin(case(&fixture)).await;
    });
    assert!(said.is_some(), "the case passed on a store with {bug:?}");
}

#[test]
fn every_planted_bug_fails_its_case() {
    use tenant_conformance as cases;
    assert_caught(Bug::CreatesAnew, cases::create_twice_leaves_what_is_there);
    assert_caught(Bug::CreatesAnew, cases::create_by_many_at_once_creates_once);
    assert_caught(Bug::OpensAnything, cases::open_of_an_unknown_tenant_creates_nothing);
    assert_caught(Bug::SharesTenants, cases::open_tenants_see_nothing_of_each_other);
    assert_caught(Bug::ListsBackwards, cases::list_is_sorted_and_complete);
    assert_caught(Bug::CreatesWhatIsAskedFor, cases::exists_tells_and_creates_nothing);
    assert_caught(Bug::KeepsContent, cases::remove_leaves_nothing);
    assert_caught(Bug::KeepsContent, cases::remove_and_create_makes_an_empty_tenant);
    assert_caught(Bug::RemovesWhatIsUsed, cases::remove_is_refused_or_noticed_while_others_use_it);
    assert_caught(Bug::ForgetsOwned, cases::work_tells_what_is_owned);
    assert_caught(Bug::HurriesDelays, cases::work_tells_when_it_falls_due);
    assert_caught(Bug::LooksAtAll, cases::work_looks_among_those_it_is_given);
    assert_caught(Bug::NeverCloses, cases::close_makes_every_call_answer_closed);
}
