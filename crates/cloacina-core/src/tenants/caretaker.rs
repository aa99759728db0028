//! Finds the tenants that have work and sees to it that their executors run; stops those that have none.

use std::collections::{BTreeSet, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use super::due::DueTimes;
use super::entry::Standing;
use super::roster::{Roster, Settings};
use super::{Changes, TenantError, TenantStore, TenantWork};
use crate::TenantId;
use crate::engine::Role;

/// How many executors are started at once, of those that nobody asked for.
const STARTS: usize = 8;

/// More tenants than this are not remembered one by one: then all are looked at.
const MOST_HINTS: usize = 20_000;

/// How much longer than a look the pause after it is: whoever tells of work all the time costs a fraction of the time.
const PAUSE: u32 = 8;

/// How soon what failed is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What is known of tenants that are not active.
#[derive(Debug)]
pub(super) struct News {
    hints: Mutex<Hints>,
    hinted: Notify,
    due: Mutex<DueTimes>,
    due_changed: Notify,
    /// Tenants whose executor has stopped and of which nothing was heard since; how often it left work that it could not do.
    rested: Mutex<HashMap<TenantId, u32>>,
    starts: Arc<Semaphore>,
}

/// Where there may be work.
#[derive(Debug, Default)]
struct Hints {
    tenants: BTreeSet<TenantId>,
    anywhere: Option<Anywhere>,
}

/// There may be work in any tenant.
#[derive(Debug, Clone, Copy)]
struct Anywhere;

impl Default for News {
    fn default() -> Self {
        Self {
            hints: Mutex::default(),
            hinted: Notify::new(),
            due: Mutex::default(),
            due_changed: Notify::new(),
            rested: Mutex::default(),
            starts: Arc::new(Semaphore::new(STARTS)),
        }
    }
}

impl News {
    fn hints(&self) -> MutexGuard<'_, Hints> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn due(&self) -> MutexGuard<'_, DueTimes> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes tenants that may have work.
    pub(super) fn hint(&self, tenants: impl IntoIterator<Item = TenantId>) {
        let mut hints = self.hints();
        hints.tenants.extend(tenants);
        if hints.tenants.len() > MOST_HINTS {
            *hints = Hints { tenants: BTreeSet::new(), anywhere: Some(Anywhere) };
        }
        drop(hints);
        self.hinted.notify_one();
    }

    /// Looks again at what was heard of tenants that were changing.
    pub(super) fn nudge(&self) {
        self.hinted.notify_one();
    }

    /// Notes that a tenant's executor is about to stop.
    pub(super) fn note_rest(&self, tenant: &TenantId) {
        self.rested().entry(tenant.clone()).or_insert(0);
    }

    /// Tells how long to let a tenant rest whose executor has just stopped and left work that is due: nothing if there is news.
    fn rest_more(&self, tenant: &TenantId, settings: &Settings) -> Option<Duration> {
        let mut rested = self.rested();
        let times = rested.get_mut(tenant)?;
        *times += 1;
        let wait = settings.idle_timeout.saturating_mul(1 << (*times).min(16));
        Some(wait.min(settings.sweep_interval))
    }

    fn rested(&self) -> MutexGuard<'_, HashMap<TenantId, u32>> {
        self.rested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hint_anywhere(&self) {
        self.hints().anywhere = Some(Anywhere);
        self.hinted.notify_one();
    }

    /// Forgets what was to come in a tenant that is gone.
    pub(super) fn forget(&self, tenant: &TenantId) {
        self.due().forget(tenant);
        self.rested().remove(tenant);
    }

    fn note_due(&self, tenant: TenantId, wait: Duration) {
        self.due().note(tenant, Instant::now() + wait);
        self.due_changed.notify_one();
    }
}

/// Begins to look after the tenants, until the roster is stopped.
pub(super) fn begin<S: TenantStore>(roster: &Arc<Roster<S>>, role: Role, runtime: &Handle) {
    roster.tracker.spawn_on(rest(Arc::clone(roster)), runtime);
    if role == Role::Client {
        // Others find the work and do it.
        return;
    }
    roster.news.hint_anywhere();
    roster.tracker.spawn_on(listen(Arc::clone(roster)), runtime);
    roster.tracker.spawn_on(look(Arc::clone(roster)), runtime);
    roster.tracker.spawn_on(wake(Arc::clone(roster)), runtime);
}

/// Hears where others gave tenants work.
async fn listen<S: TenantStore>(roster: Arc<Roster<S>>) {
    loop {
        tokio::select! {
            changes = roster.store.changed(roster.settings.poll_interval) => match changes {
                Changes::In(tenants) => {
                    let mut rested = roster.news.rested();
                    for tenant in &tenants {
                        rested.remove(tenant);
                    }
                    drop(rested);
                    roster.news.hint(tenants);
                }
                Changes::Anywhere => roster.news.hint_anywhere(),
            },
            () = roster.stop.cancelled() => return,
        }
    }
}

/// Looks where there may be work; now and then everywhere.
async fn look<S: TenantStore>(roster: Arc<Roster<S>>) {
    let (news, settings) = (&roster.news, &roster.settings);
    let mut sweep = Instant::now() + settings.sweep_interval;
    loop {
        tokio::select! {
            () = news.hinted.notified() => {}
            () = tokio::time::sleep_until(sweep) => news.hint_anywhere(),
            () = roster.stop.cancelled() => return,
        }
        let Hints { tenants, anywhere } = std::mem::take(&mut *news.hints());
        let (resting, changing): (Vec<_>, Vec<_>) = tenants
            .into_iter()
            .filter(|tenant| roster.standing(tenant) != Standing::Running)
            .partition(|tenant| roster.standing(tenant) == Standing::Resting);
        // Whoever changes them nudges.
        news.hints().tenants.extend(changing);
        let tenants = resting;
        let began = Instant::now();
        let found = match anywhere {
            Some(Anywhere) => {
                sweep = Instant::now() + settings.sweep_interval;
                roster.store.work(None).await
            }
            None if tenants.is_empty() => continue,
            None => roster.store.work(Some(&tenants)).await,
        };
        // Others may tell all the time; looking a few times a poll is enough.
        let mut pause = (settings.poll_interval / 4).max(began.elapsed() * PAUSE);
        match found {
            Ok(work) => {
                let left: BTreeSet<_> =
                    work.iter().filter(|one| is_due(one)).map(|one| &one.tenant).collect();
                let looked_at = |tenant: &TenantId| anywhere.is_some() || tenants.contains(tenant);
                // Where nothing that is due was left, whatever comes to be due is new.
                news.rested().retain(|tenant, _| !looked_at(tenant) || left.contains(tenant));
                drop(left);
                work.into_iter().for_each(|work| attend(&roster, work));
            }
            Err(error) => {
                tracing::warn!(%error, "looking for tenants with work failed");
                pause = pause.max(RETRY);
                let mut hints = news.hints();
                hints.tenants.extend(tenants);
                hints.anywhere = hints.anywhere.or(anywhere);
                news.hinted.notify_one();
            }
        }
        let _ = tokio::time::timeout(pause, roster.stop.cancelled()).await;
    }
}

/// Reports whether there is work that nobody owns and that could be done now.
fn is_due(work: &TenantWork) -> bool {
    !work.owned && work.next_due.is_some_and(|wait| wait.is_zero())
}

/// Sees to work that was found.
fn attend<S: TenantStore>(roster: &Arc<Roster<S>>, work: TenantWork) {
    let wait = if is_due(&work) {
        // What its executor left it could not do: it is of a workflow that is not known here, or of another version.
        roster.news.rest_more(&work.tenant, &roster.settings).unwrap_or_default()
    } else {
        work.next_due.filter(|_| !work.owned).unwrap_or_default()
    };
    let tenant = work.tenant;
    match roster.standing(&tenant) {
        Standing::Running => {}
        Standing::Changing => drop(roster.news.hints().tenants.insert(tenant)),
        Standing::Resting if wait.is_zero() => {
            roster.tracker.spawn(start(Arc::clone(roster), tenant));
        }
        Standing::Resting => roster.news.note_due(tenant, wait),
    }
}

/// Starts the executor of a tenant that nobody asked for.
async fn start<S: TenantStore>(roster: Arc<Roster<S>>, tenant: TenantId) {
    let starts = Arc::clone(&roster.news.starts);
    let permit = tokio::select! {
        permit = starts.acquire_owned() => permit,
        () = roster.stop.cancelled() => return,
    };
    let mut started = pin!(roster.executor(&tenant));
    // One that hangs must not keep the others from starting.
    let started = match tokio::time::timeout(RETRY, started.as_mut()).await {
        Ok(started) => started,
        Err(_) => {
            drop(permit);
            started.await
        }
    };
    match started {
        Ok(_) | Err(TenantError::ShuttingDown | TenantError::UnknownTenant(_)) => {}
        Err(error) => {
            tracing::warn!(%tenant, %error, "the executor of a tenant with work could not be started");
            if error.is_transient() {
                roster.news.note_due(tenant.clone(), RETRY);
            }
        }
    }
}

/// Starts executors when work falls due in tenants at rest.
async fn wake<S: TenantStore>(roster: Arc<Roster<S>>) {
    let news = &roster.news;
    loop {
        let next = news.due().next();
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = news.due_changed.notified() => {}
            () = roster.stop.cancelled() => return,
        }
        loop {
            let Some(tenant) = news.due().take(Instant::now()) else { break };
            if roster.standing(&tenant) != Standing::Running {
                roster.tracker.spawn(start(Arc::clone(&roster), tenant));
            }
        }
    }
}

/// Stops executors that have nothing to do, or nothing to work on any more.
async fn rest<S: TenantStore>(roster: Arc<Roster<S>>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(roster.settings.idle_timeout / 4) => {
                roster.stop_idle();
                roster.stop_vanished().await;
            }
            () = roster.stop.cancelled() => return,
        }
    }
}
