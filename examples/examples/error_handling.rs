//! What can go wrong in a workflow, and what it can do about that.
//!
//! ```sh
//! cargo run -p cloacina-examples --example error_handling
//! ```
//!
//! Two workflows, in `error_handling.db` in the current folder:
//!
//! - `order` **completes although a task failed**: the card is refused, and a fallback that runs *because of that*
//!   (`task_failed`) handles the failure. On the way a task is retried with growing waits.
//! - `import` **fails although its clean-up ran**: nobody handles the timeout. Clean-up (`always`, `all_done`) runs in
//!   any case, so that it ran says nothing about whether the failure was dealt with.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cloacina_core::{Context, PipelineResult, TaskError, task, workflow};
use cloacina_sqlite::UnifiedExecutor;
use serde_json::json;

/// Fails twice; the waits are 50 ms and 100 ms.
#[task(retry_attempts = 4, retry_delay_ms = 50, retry_backoff = "exponential", retry_factor = 2.0)]
async fn reserve_stock(context: &mut Context) -> Result<(), TaskError> {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::SeqCst) + 1;
    if call < 3 {
        return Err(TaskError::new(format!("the warehouse is busy, call {call}")));
    }
    context.insert("reservation", json!(4711))?;
    Ok(())
}

/// May be tried five times, but no bank changes its mind: a permanent error ends it at once.
#[task(dependencies = [reserve_stock], retry_attempts = 5, retry_delay_ms = 50)]
async fn charge_card(_context: &mut Context) -> Result<(), TaskError> {
    Err(TaskError::permanent("the card was refused"))
}

/// The fallback: runs only if the card failed, and by completing handles that failure.
#[task(dependencies = [charge_card], trigger_rules = task_failed("charge_card"))]
async fn send_invoice(context: &mut Context) -> Result<(), TaskError> {
    context.insert("paid_by", json!("invoice"))?;
    Ok(())
}

/// Either way of payment will do.
#[task(dependencies = [charge_card, send_invoice], trigger_rules = one_success)]
async fn ship(context: &mut Context) -> Result<(), TaskError> {
    context.insert("shipped", json!(true))?;
    Ok(())
}

/// Looks at the context: the customer of this order is not that good a customer.
#[task(dependencies = [ship], trigger_rules = all(all_success, context_value("customer", equals, "gold")))]
async fn add_chocolate(context: &mut Context) -> Result<(), TaskError> {
    context.insert("chocolate", json!(true))?;
    Ok(())
}

/// Runs whatever happened before.
#[task(dependencies = [ship, add_chocolate], trigger_rules = all_done)]
async fn release_lock(_context: &mut Context) {}

workflow! {
    name: "order",
    description: "Completes although the card is refused",
    tasks: [reserve_stock, charge_card, send_invoice, ship, add_chocolate, release_lock],
}

/// Waits for an answer that never comes: each of its two attempts is cut off after 100 ms.
#[task(timeout = "100ms", retry_attempts = 2, retry_delay_ms = 20)]
async fn download(_context: &mut Context) -> Result<(), TaskError> {
    std::future::pending::<()>().await;
    Ok(())
}

#[task(dependencies = [download])]
async fn parse(_context: &mut Context) {}

/// Runs in any case, and absolves nothing.
#[task(dependencies = [parse], trigger_rules = always)]
async fn remove_temporary_files(context: &mut Context) -> Result<(), TaskError> {
    context.insert("cleaned_up", json!(true))?;
    Ok(())
}

workflow! {
    name: "import",
    description: "Fails although its clean-up runs",
    tasks: [download, parse, remove_temporary_files],
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let executor = UnifiedExecutor::builder()
        .database_url("sqlite://error_handling.db")
        // `download` does not heed its cancellation, so after a timeout it is dropped; by default, after a second.
        .cancel_grace(Duration::from_millis(50))
        .build()
        .await?;

    let order = Context::from_value(json!({ "customer": "bronze" }))?;
    let result = executor.execute("order", order).await?;
    show(&executor, &result).await?;
    println!(
        "so: `charge_card` failed, `send_invoice` ran because of that, the failure is handled.\n"
    );

    // A workflow that fails is `Ok` too: the engine did what it was asked to do.
    let result = executor.execute("import", Context::new()).await?;
    show(&executor, &result).await?;
    println!("so: `remove_temporary_files` ran, but clean-up does not handle a failure.");

    executor.shutdown().await?;
    Ok(())
}

/// Prints the result, and what the engine noted on the way.
async fn show(executor: &UnifiedExecutor, result: &PipelineResult) -> anyhow::Result<()> {
    println!("{result}\n\nevents:");
    for record in executor.list_events(result.execution_id).await? {
        let task = record.event.task.as_ref().map_or("", |task| task.as_str());
        println!("  {} {task}: {}", record.event.kind.as_str(), record.event.detail);
    }
    Ok(())
}
