//! Tasks that take and return types of their own: typed input, outputs, state of the application, and an output that may
//! be missing. The compiler checks that they fit together.
//!
//! ```sh
//! cargo run -p cloacina-examples --example typed_pipeline
//! ```
//!
//! Keeps its data in `typed_pipeline.db` in the current folder.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, ensure};
use cloacina_core::{
    Context, Input, Output, State, TaskContext, TaskDefinition as _, TaskError,
    registered_workflows, task, workflow,
};
use cloacina_sqlite::UnifiedExecutor;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What the workflow is given.
#[derive(Debug, Deserialize)]
struct Order {
    customer: String,
    items: Vec<String>,
}

/// What the tasks hand to each other.
#[derive(Debug, Serialize, Deserialize)]
struct Quote {
    cents: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Discount {
    percent: u64,
}

/// What the application has anyway: a price list here, a pool of connections or a client elsewhere.
struct Prices(BTreeMap<&'static str, u64>);

/// A service that is away at the first call.
#[derive(Default)]
struct Vouchers {
    calls: AtomicU32,
}

#[derive(Debug, thiserror::Error)]
#[error("the voucher service is away")]
struct Away;

impl Vouchers {
    fn look_up(&self) -> Result<Discount, Away> {
        match self.calls.fetch_add(1, Ordering::Relaxed) {
            0 => Err(Away),
            _ => Ok(Discount { percent: 20 }),
        }
    }
}

/// Any error type that `?` can turn into a `TaskError` will do, `anyhow::Error` among them.
#[task]
async fn quote(Input(order): Input<Order>, State(prices): State<Prices>) -> anyhow::Result<Quote> {
    ensure!(!order.items.is_empty(), "the order of {} is empty", order.customer);
    let price = |item: &String| prices.0.get(item.as_str()).with_context(|| format!("no {item}"));
    Ok(Quote { cents: order.items.iter().map(price).sum::<anyhow::Result<u64>>()? })
}

fn is_away(error: &TaskError) -> bool {
    error.downcast_ref::<Away>().is_some()
}

/// Runs only if the input has a voucher.
#[task(
    trigger_rules = context_value("voucher", exists),
    retry_attempts = 3,
    retry_delay_ms = 50,
    retry_on = is_away
)]
async fn discount(vouchers: State<Vouchers>) -> Result<Discount, Away> {
    vouchers.look_up()
}

/// Depends on both, because it takes what both returned. It runs without a discount too, so it takes an `Option`.
#[task(trigger_rules = none_failed)]
async fn invoice(
    quote: Output<quote>,
    discount: Option<Output<discount>>,
    run: TaskContext,
    context: &mut Context,
) -> Result<u64, TaskError> {
    let percent = discount.map_or(0, |discount| discount.percent);
    run.report_progress(format!("{percent} % off"));
    let cents = quote.cents * (100 - percent) / 100;
    context.insert("cents", json!(cents))?;
    Ok(cents)
}

workflow! { name: "order", tasks: [quote, discount, invoice] }

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let prices = Prices(BTreeMap::from([("bread", 450), ("butter", 300)]));
    // Without one of these, the executor is not built: the error names the task and the type.
    let executor = UnifiedExecutor::builder()
        .database_url("sqlite://typed_pipeline.db")
        .state(prices)
        .state(Vouchers::default())
        .build()
        .await?;

    for workflow in registered_workflows()? {
        println!("{}", workflow.to_mermaid());
    }

    let order = json!({ "customer": "Ada", "items": ["bread", "butter"] });
    let plain = executor.execute("order", Context::from_value(order)?).await?;
    println!("{plain}\n");

    let order = json!({ "customer": "Ada", "items": ["bread", "butter"], "voucher": "SPRING" });
    let reduced = executor.execute("order", Context::from_value(order)?).await?;
    println!("{reduced}\n");

    let unknown = json!({ "customer": "Bob", "items": ["jam"] });
    let failed = executor.execute("order", Context::from_value(unknown)?).await?;
    println!("{failed}\n");

    // What is no order is refused before anything is stored.
    let refused = executor.execute("order", Context::from_value(json!({ "item": "bread" }))?).await;
    println!("refused: {:#}", anyhow::Error::from(refused.expect_err("it is no order")));
    executor.shutdown().await?;

    // A task is still a function, so a test just calls it.
    let run = TaskContext::detached(invoice::ID);
    let mut context = Context::new();
    let half = Some(Output(Discount { percent: 50 }));
    let cents = invoice(Output(Quote { cents: 1_000 }), half, run, &mut context).await;
    println!("called by hand: {:?}", cents.map_err(|error| anyhow::anyhow!("{error}"))?);
    Ok(())
}
