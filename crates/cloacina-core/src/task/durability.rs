//! When those that depend on a task may start.

/// When those that depend on a task may start, once it has ended.
///
/// Whatever is chosen, results are committed in the order in which they depend on each other, and an execution ends, and those
/// who wait for it hear of that, only once everything is committed.
///
/// # What may run again after a crash
///
/// A body runs again if its result was not committed when its worker died. Under `Strict` that is, of a chain, the
/// one task that ran. A `Pipelined` task, and what started on its result, may be several tasks whose results were all lost: they run
/// again, the task first, and the others on its *new* result. So what it does to the outside may happen twice, and what came after may
/// have been done for a result that is on record nowhere. The same holds for a worker that lost the execution, having been cut off or
/// stopped beyond its lease, until it hears of that with the answer to its next commit. Choose it for tasks whose results follow from what they
/// were given, or whose dependents do nothing to the outside; never between a decision and what carries it out.
///
/// ```
/// use cloacina_core::{Context, Output, task, workflow};
///
/// #[task(durability = "pipelined")]
/// async fn parse() -> Vec<u32> {
///     vec![1, 2, 3]
/// }
///
/// #[task]
/// async fn sum(rows: Output<parse>) -> u32 {
///     rows.iter().sum()
/// }
///
/// workflow! { name: "totals", tasks: [parse, sum] }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Durability {
    /// After its result is committed.
    #[default]
    Strict,
    /// At once, while its result is on its way to the store, if it ended by a body that ran: one that was skipped is waited for.
    Pipelined,
}
