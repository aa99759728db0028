//! When work falls due in tenants at rest.

use std::collections::{BTreeSet, HashMap};

use tokio::time::Instant;

use crate::TenantId;

/// For each tenant the first time at which work falls due.
#[derive(Debug, Default)]
pub(super) struct DueTimes {
    by_tenant: HashMap<TenantId, Instant>,
    in_order: BTreeSet<(Instant, TenantId)>,
}

impl DueTimes {
    /// Notes when work falls due; an earlier time that is known stays.
    pub(super) fn note(&mut self, tenant: TenantId, at: Instant) {
        if self.by_tenant.get(&tenant).is_some_and(|known| *known <= at) {
            return;
        }
        self.forget(&tenant);
        self.by_tenant.insert(tenant.clone(), at);
        self.in_order.insert((at, tenant));
    }

    pub(super) fn forget(&mut self, tenant: &TenantId) {
        if let Some(at) = self.by_tenant.remove(tenant) {
            self.in_order.remove(&(at, tenant.clone()));
        }
    }

    /// Returns the first time of all.
    pub(super) fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Takes out a tenant whose time has come.
    pub(super) fn take(&mut self, now: Instant) -> Option<TenantId> {
        let (at, tenant) = self.in_order.first().filter(|(at, _)| *at <= now)?.clone();
        self.in_order.remove(&(at, tenant.clone()));
        self.by_tenant.remove(&tenant);
        Some(tenant)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn tenants_come_in_the_order_of_their_first_times() {
        let now = Instant::now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let [a, b, c] = ["a", "b", "c"].map(|name| TenantId::new(name).unwrap());
        let mut due = DueTimes::default();
        due.note(a.clone(), at(3));
        due.note(a.clone(), at(9));
        due.note(b.clone(), at(5));
        due.note(b.clone(), at(1));
        due.note(c.clone(), at(2));
        due.forget(&c);
        assert_eq!(due.next(), Some(at(1)));
        assert_eq!(due.take(now), None);
        assert_eq!(due.take(at(4)), Some(b));
        assert_eq!(due.take(at(4)), Some(a));
        assert_eq!((due.take(at(99)), due.next()), (None, None));
    }
}
