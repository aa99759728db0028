//! How to test a workflow: without a database, without its side effects, without waiting for its retries.
//!
//! ```sh
//! cargo run -p cloacina-examples --example testing_workflows    # shows what a test sees
//! cargo test -p cloacina-examples --example testing_workflows   # runs the tests below
//! ```
//!
//! The workflow charges a card at a bank that is often busy; if the card is refused, it sends an invoice. No test should
//! ask a bank, wait half an hour for it, or hope that it is busy. So a script says what the bank answers, and the clock
//! jumps over the waits.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use cloacina_core::{Context, TaskError, task, workflow};
use cloacina_testing::TestRunner;
use serde_json::json;

#[task]
async fn price(context: &mut Context) -> Result<(), TaskError> {
    let items: Vec<u64> = context.get_as("items")?;
    Ok(context.insert("total", json!(items.iter().sum::<u64>()))?)
}

/// Asks a bank, again after 10 and 20 minutes if that is busy.
#[task(
    dependencies = [price],
    retry_attempts = 3,
    retry_delay_ms = 600_000,
    retry_max_delay_ms = 3_600_000
)]
async fn charge_card(_context: &mut Context) -> Result<String, TaskError> {
    Err(TaskError::permanent("there is no bank in this example"))
}

/// Needs a price as well: a card that was not charged because there was none counts as failed, too.
#[task(
    dependencies = [price, charge_card],
    trigger_rules = all(task_success("price"), task_failed("charge_card"))
)]
async fn send_invoice(context: &mut Context) -> Result<(), TaskError> {
    Ok(context.insert("paid_by", json!("invoice"))?)
}

#[task(dependencies = [charge_card, send_invoice], trigger_rules = one_success)]
async fn ship(context: &mut Context) -> Result<(), TaskError> {
    Ok(context.insert("shipped", json!(true))?)
}

workflow! {
    name: "order",
    description: "Charges a card, or sends an invoice, and ships",
    tasks: [price, charge_card, send_invoice, ship],
}

fn input() -> Context {
    Context::from_iter([("items".to_owned(), json!([20, 22]))])
}

#[tokio::main]
async fn main() {
    let busy =
        TestRunner::new().returns("charge_card", json!("receipt 1")).fail_first("charge_card", 2);
    println!("The bank is busy twice.\n{}\n", busy.run("order", input()).await);

    let refused = TaskError::permanent("the card was refused");
    let refused = TestRunner::new().fail_always("charge_card", refused);
    println!("The card is refused.\n{}\n", refused.run("order", input()).await);

    let forgotten = TestRunner::new().returns("charge_card", json!("receipt 1"));
    println!("The order has no items.\n{}", forgotten.run("order", Context::new()).await);
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use cloacina_core::{SkipReason, TaskState};

    #[tokio::test]
    async fn a_busy_bank_is_asked_again() {
        let runner = TestRunner::new()
            .returns("charge_card", json!("receipt 1"))
            .fail_first("charge_card", 2);
        let report = runner.run("order", input()).await;
        report.assert_completed();
        report.assert_attempts("charge_card", 3).assert_output("charge_card", json!("receipt 1"));
        report.assert_order(&["price", "charge_card", "ship"]);
        report.assert_task("send_invoice", TaskState::Skipped);
        assert!(report.elapsed >= Duration::from_secs((10 + 20) * 60));
    }

    #[tokio::test]
    async fn a_refused_card_leads_to_an_invoice() {
        let refused = TaskError::permanent("the card was refused");
        let report =
            TestRunner::new().fail_always("charge_card", refused).run("order", input()).await;
        report.assert_completed();
        report.assert_attempts("charge_card", 1).assert_error("charge_card", "refused");
        report.assert_context("paid_by", json!("invoice")).assert_context("shipped", json!(true));
    }

    #[test]
    fn an_order_without_items_is_neither_charged_nor_shipped() {
        let report = TestRunner::new().run_blocking("order", Context::new());
        report.assert_failed().assert_error("price", "`items` does not exist");
        report.assert_skipped("charge_card", &SkipReason::UpstreamFailed("price".into()));
        report.assert_task("ship", TaskState::Skipped);
    }
}
