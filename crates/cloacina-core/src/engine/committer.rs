//! Group commit: while one transaction is in flight, the next batch gathers.
//!
//! There is no timer: a lone write goes at once, and under load batches grow by themselves. A store that carries out several
//! transactions at once gets several lines of batches; what an execution commits stays in one line, and so in order.
//!
//! Whoever queues an item says what is to be done with its verdict. That is done beside, while the next batch is in flight. A batch that the store could not take for a passing reason is sent again as it is,
//! which is safe because every write carries a key that makes its repetition a no-op; one that it refuses is sent item by
//! item, so that one bad item does not take the others down.

mod inbox;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::sync::{mpsc, oneshot};
use tokio::task::coop::consume_budget;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::admission::Ticket;
use super::driver::Address;
use crate::backend::{
    Backend, BackendError, Batch, BatchVerdicts, Checkpoint, CheckpointVerdict, NewExecution,
    Release, SubmitVerdict,
};
use crate::metrics::{Meters, Tally};
use crate::panics::{discard, text_of};
use inbox::{Inbox, Outlet};

/// More items than this do not travel in one transaction: it would hold the others up.
const BATCH_MAX: usize = 1024;

/// Nor do items with more bytes of text than this, unless one alone has more: stores limit what one statement may carry.
const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// How long a submit waits for a store that does not answer, before its caller is told.
const SUBMIT_PATIENCE: Duration = Duration::from_secs(30);

const RETRY_FIRST: Duration = Duration::from_millis(10);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// A verdict with the store's clock in its transaction.
pub(super) type Timed<T> = Result<(T, DateTime<Utc>), Arc<BackendError>>;

/// What is done with a verdict. It is called once, or dropped if nobody commits any more.
type Hear<T> = Box<dyn FnOnce(Timed<T>) + Send + Sync>;

/// Who hears of a checkpoint. No call in a box: most of what is committed are these.
#[derive(Debug)]
pub(super) enum Hearer {
    /// The driver of the execution, with what is counted then.
    Driver(Address, Tally),
    /// An attempt that waits for the record of its start.
    Attempt(oneshot::Sender<Timed<CheckpointVerdict>>),
    /// Nobody.
    Nobody,
}

impl Hearer {
    fn hear(self, verdict: Timed<CheckpointVerdict>) {
        match self {
            Self::Driver(address, tally) => {
                address.tell(|driver| driver.committed(verdict, tally));
            }
            // It may have been called off.
            Self::Attempt(answer) => drop(answer.send(verdict)),
            Self::Nobody => {}
        }
    }
}

enum Item {
    /// With its ticket, which is given back with the verdict.
    Submit(NewExecution, Ticket, Hear<SubmitVerdict>),
    Checkpoint(Checkpoint, Hearer),
    Release(Release, Hear<()>),
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Submit(submit, ..) => submit.size(),
            Self::Checkpoint(checkpoint, _) => checkpoint.size(),
            Self::Release(..) => 0,
        }
    }
}

/// What goes on beside, for the lines.
pub(super) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The lines in which items wait for their batches, each with a transaction of its own in flight.
#[derive(Debug)]
pub(super) struct Lines {
    lines: Vec<Committer>,
    next: AtomicUsize,
}

impl Lines {
    /// Makes the lines and the futures that do their work until `kill` is cancelled: two a line, each for a task of its own.
    pub(super) fn new(
        backend: &Arc<dyn Backend>,
        kill: &CancellationToken,
        meters: &Meters,
    ) -> (Self, Vec<Work>) {
        let mut work: Vec<Work> = Vec::new();
        let lines = (0..backend.lines().get()).map(|_| {
            let (inbox, outlet) = Inbox::new();
            let (answers, answered) = mpsc::unbounded_channel();
            let meters = meters.clone();
            work.push(Box::pin(run(Arc::clone(backend), outlet, answers, kill.clone(), meters)));
            work.push(Box::pin(tell(answered)));
            Committer(inbox)
        });
        let lines = lines.collect();
        (Self { lines, next: AtomicUsize::new(0) }, work)
    }

    /// Reports whether nobody commits any more.
    pub(super) fn are_gone(&self) -> bool {
        self.lines.iter().any(|line| line.0.is_closed())
    }

    /// Gives out the lines in turn. What is committed of one execution has to stay in one.
    pub(super) fn next(&self) -> Line {
        Line(self.next.fetch_add(1, Ordering::Relaxed) % self.lines.len())
    }

    /// The way into the next batch of a line.
    pub(super) fn of(&self, line: Line) -> &Committer {
        &self.lines[line.0]
    }
}

/// One of the lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line(usize);

/// The way into the next batch of a line.
#[derive(Debug)]
pub(super) struct Committer(Arc<Inbox<Item>>);

impl Committer {
    /// Queues a submit.
    pub(super) fn submit(
        &self,
        submit: NewExecution,
        ticket: Ticket,
        hear: impl FnOnce(Timed<SubmitVerdict>) + Send + Sync + 'static,
    ) {
        self.0.put(Item::Submit(submit, ticket, Box::new(hear)));
    }

    /// Queues a checkpoint.
    pub(super) fn checkpoint(&self, checkpoint: Checkpoint, hearer: Hearer) {
        self.0.put(Item::Checkpoint(checkpoint, hearer));
    }

    /// Queues a release; nothing if nobody commits any more.
    pub(super) async fn release(&self, release: Release) -> Option<Result<(), Arc<BackendError>>> {
        let (answer, released) = oneshot::channel();
        let hear = move |verdict: Timed<()>| drop(answer.send(verdict.map(|_| ())));
        self.0.put(Item::Release(release, Box::new(hear)));
        released.await.ok()
    }
}

/// Does what is to be done with verdicts, batch by batch.
async fn tell(mut answered: mpsc::UnboundedReceiver<(InFlight, BatchVerdicts)>) {
    while let Some((flight, verdicts)) = answered.recv().await {
        let at = verdicts.at;
        for (hearer, verdict) in flight.hearers.into_iter().zip(verdicts.checkpoints) {
            contain(|| hearer.hear(Ok((verdict, at))));
            // Others who share the thread are not kept waiting by a large batch.
            consume_budget().await;
        }
        for ((ticket, hear), verdict) in flight.submitters.into_iter().zip(verdicts.submits) {
            // There is room again by the time that somebody hears of it.
            drop(ticket);
            contain(|| hear(Ok((verdict, at))));
            consume_budget().await;
        }
        for hear in flight.releasers {
            contain(|| hear(Ok(((), at))));
            consume_budget().await;
        }
    }
}

/// Does what is to be done with one verdict: a panic there must not cost others theirs.
fn contain(tell: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(tell)) {
        tracing::error!(panic = text_of(&*panic), "what was to be done with a verdict panicked");
        discard(panic);
    }
}

async fn run(
    backend: Arc<dyn Backend>,
    outlet: Outlet<Item>,
    answered: mpsc::UnboundedSender<(InFlight, BatchVerdicts)>,
    kill: CancellationToken,
    meters: Meters,
) {
    // The other end lives as long as this one.
    let answer = |flight, verdicts| drop(answered.send((flight, verdicts)));
    let mut waiting = VecDeque::new();
    let (mut most, mut wait) = (BATCH_MAX, RETRY_FIRST);
    loop {
        if !gather(&outlet, &mut waiting, &kill).await {
            return;
        }
        let fitting = fitting(waiting.iter().map(Item::size), most);
        let flight = InFlight::new(waiting.drain(..fitting));
        let began = Instant::now();
        match flight.write(&*backend).await {
            Ok(verdicts) => {
                meters.batch(flight.len(), began.elapsed());
                answer(flight, verdicts);
                (most, wait) = ((most * 2).min(BATCH_MAX), RETRY_FIRST);
            }
            Err(error) if error.is_transient() => {
                meters.commit_failures.increment(1);
                let items = flight.into_items();
                tracing::warn!(%error, items = items.len(), "a commit failed and is tried again");
                // It may have been too much for the time that a statement has.
                most = (items.len() / 2).max(1);
                waiting = refuse_submits(items.into_iter().chain(waiting), error);
                tokio::select! {
                    biased;
                    () = kill.cancelled() => return,
                    () = tokio::time::sleep(wait) => wait = (wait * 2).min(RETRY_MAX),
                }
            }
            Err(error) => {
                meters.commit_failures.increment(1);
                let items = flight.into_items();
                if items.len() == 1 {
                    refuse(items, &Arc::new(error));
                    continue;
                }
                // One that the store refuses must not take the others down.
                for item in items {
                    let flight = InFlight::new([item]);
                    match flight.write(&*backend).await {
                        Ok(verdicts) => answer(flight, verdicts),
                        Err(error) => refuse(flight.into_items(), &Arc::new(error)),
                    }
                }
            }
        }
    }
}

/// Takes in what has come, and waits for something if nothing is there; false if nothing is to be done any more.
async fn gather(
    outlet: &Outlet<Item>,
    waiting: &mut VecDeque<Item>,
    kill: &CancellationToken,
) -> bool {
    while !kill.is_cancelled() {
        // All, however much waits already: a store that is full or away refuses the submits among it.
        outlet.take_all(waiting, 2 * BATCH_MAX);
        if !waiting.is_empty() {
            return true;
        }
        tokio::select! {
            biased;
            () = kill.cancelled() => {}
            () = outlet.filled() => {}
        }
    }
    false
}

/// Tells how many of the next items, by their sizes, travel in one transaction: one at least.
fn fitting(sizes: impl Iterator<Item = usize>, most: usize) -> usize {
    let mut bytes: usize = 0;
    let fits = |size: &usize| {
        bytes = bytes.saturating_add(*size);
        bytes <= BATCH_BYTES
    };
    sizes.take(most).take_while(fits).count().max(1)
}

fn refuse(items: impl IntoIterator<Item = Item>, error: &Arc<BackendError>) {
    for item in items {
        match item {
            Item::Submit(_, ticket, hear) => {
                drop(ticket);
                contain(|| hear(Err(Arc::clone(error))));
            }
            Item::Checkpoint(_, hearer) => contain(|| hearer.hear(Err(Arc::clone(error)))),
            Item::Release(_, hear) => contain(|| hear(Err(Arc::clone(error)))),
        }
    }
}

/// What travels in one transaction, and who hears of it.
#[derive(Default)]
struct InFlight {
    batch: Arc<Batch>,
    releases: Vec<Release>,
    submitters: Vec<(Ticket, Hear<SubmitVerdict>)>,
    hearers: Vec<Hearer>,
    releasers: Vec<Hear<()>>,
}

impl InFlight {
    fn new(items: impl IntoIterator<Item = Item>) -> Self {
        let (mut batch, mut flight) = (Batch::default(), Self::default());
        for item in items {
            match item {
                Item::Submit(submit, ticket, hear) => {
                    batch.submits.push(submit);
                    flight.submitters.push((ticket, hear));
                }
                Item::Checkpoint(checkpoint, hearer) => {
                    batch.checkpoints.push(checkpoint);
                    flight.hearers.push(hearer);
                }
                Item::Release(release, hear) => {
                    flight.releases.push(release);
                    flight.releasers.push(hear);
                }
            }
        }
        Self { batch: Arc::new(batch), ..flight }
    }

    /// How many items it holds.
    fn len(&self) -> usize {
        self.submitters.len() + self.hearers.len() + self.releasers.len()
    }

    /// Takes it apart again: submits, checkpoints, releases, in the order in which they came.
    fn into_items(self) -> Vec<Item> {
        let Batch { submits, checkpoints } = Arc::unwrap_or_clone(self.batch);
        let submits = submits.into_iter().zip(self.submitters);
        let submits = submits.map(|(new, (ticket, hear))| Item::Submit(new, ticket, hear));
        let checkpoints = checkpoints.into_iter().zip(self.hearers);
        let checkpoints = checkpoints.map(|(step, hearer)| Item::Checkpoint(step, hearer));
        let releases = self.releases.into_iter().zip(self.releasers);
        let releases = releases.map(|(release, hear)| Item::Release(release, hear));
        submits.chain(checkpoints).chain(releases).collect()
    }

    /// Commits the batch, and gives back what is to be released, in a transaction each.
    async fn write(&self, backend: &dyn Backend) -> Result<BatchVerdicts, BackendError> {
        let write = async {
            let verdicts = backend.commit(Arc::clone(&self.batch)).await?;
            if !self.releases.is_empty() {
                backend.release(&self.releases).await?;
            }
            Ok(verdicts)
        };
        // A line that ended would leave all that waits in it without a word.
        AssertUnwindSafe(write).catch_unwind().await.unwrap_or_else(|panic| {
            let reason =
                format!("the back end panicked: {}", text_of(&*panic).unwrap_or("no text"));
            discard(panic);
            Err(BackendError::Refused { reason, source: None })
        })
    }
}

/// Refuses the submits that have waited too long; the rest goes on.
fn refuse_submits(items: impl Iterator<Item = Item>, error: BackendError) -> VecDeque<Item> {
    // Room does not come back by waiting a little; a store that is away may.
    let patience = match error {
        BackendError::Full { .. } => Duration::ZERO,
        _ => SUBMIT_PATIENCE,
    };
    let (refused, kept): (VecDeque<_>, _) = items
        .partition(|item| matches!(item, Item::Submit(_, ticket, _) if ticket.age() >= patience));
    refuse(refused, &Arc::new(error));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_ends_before_it_is_too_large_for_a_statement() {
        assert_eq!(fitting([10, 20, 30].into_iter(), 4), 3);
        assert_eq!(fitting([10, 20, 30].into_iter(), 2), 2);
        assert_eq!(fitting([BATCH_BYTES - 1, 1, 1].into_iter(), 4), 2);
        let alone = fitting([usize::MAX, usize::MAX].into_iter(), 4);
        assert_eq!(alone, 1, "what is too large goes alone");
    }
}
