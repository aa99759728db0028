//! The macros of Cloacina, a durable workflow engine: [`macro@task`] makes a task of a function, [`workflow!`] makes a
//! workflow of tasks.
//!
//! Use them through `cloacina-core`, which re-exports both: the code they generate names only `::cloacina_core::…`
//! and the standard library.
//!
//! Both report every mistake of one call at once, each at its token. Each has three steps, `parse` (what is written),
//! `validate` (what is meant) and `expand` (what is compiled).

#[cfg(test)]
mod corpus;
mod duration;
mod errors;
mod fingerprint;
mod keyed;
mod reference;
mod rules;
mod suggest;
mod task;
mod workflow;

use proc_macro::TokenStream;

/// Makes a task of a function.
///
/// The function stays as it is: call it to test it. Beside it, a type of the same name appears, which stands for the
/// task in the `dependencies` of other tasks and in [`workflow!`]; one `use` brings both.
///
/// ```
/// use cloacina_core::{Context, TaskError, task};
/// use serde_json::json;
///
/// #[task(retry_attempts = 3, retry_delay_ms = 200, timeout = "30s")]
/// async fn extract(context: &mut Context) -> Result<(), TaskError> {
///     context.insert("rows", json!([1, 2, 3]))?;
///     Ok(())
/// }
///
/// #[task(dependencies = [extract])]
/// async fn load(context: &mut Context) -> Result<(), TaskError> {
///     context.insert("loaded", json!(true))?;
///     Ok(())
/// }
/// # fn main() {}
/// ```
///
/// # The function
///
/// An `async fn`, or with the key `blocking` a plain `fn`, anywhere a function of its own may stand: in a module, in
/// another function, but not as a method. It has no generic parameters, and what it takes and returns outlives it.
///
/// **Arguments**, all optional, in any order:
///
/// | argument | what it gets |
/// |---|---|
/// | `&mut Context`, `&Context` | the execution's input with the changes of all tasks before it; its own changes are handed on |
/// | `Input<T>` | the execution's input as a type of one's own; a submit that does not fit is refused |
/// | `Output<extract>` | what task `extract` returned, which thereby becomes a dependency |
/// | `Option<Output<extract>>` | the same if `extract` may have failed or been skipped and the trigger rules, such as `all_done`, let the task run then; as `Result<_, NotCompleted>` it tells why |
/// | `State<T>` | what `builder().state(..)` was given of that type |
/// | `TaskContext` | execution, workflow, tenant, attempt, deadline, cancellation, and a way to report progress |
///
/// **It returns** nothing, a value, or a `Result` with a value, under whatever name, of a type that serde can write; `Output` reads
/// it back. It is stored as JSON, which has neither infinite numbers nor `NaN`: they become `null`, and a task that takes them as
/// `f64` fails.
/// The error is a `TaskError` or what turns into one: any `std::error::Error` that may cross threads, a text, an
/// `anyhow::Error`. The type is as visible as the function: a `pub` task returns a `pub` type.
///
/// ```
/// use cloacina_core::{Input, Output, State, TaskContext, TaskError, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize)]
/// struct Request {
///     account: String,
/// }
///
/// #[derive(Serialize, Deserialize)]
/// struct Invoice {
///     total: u32,
/// }
///
/// struct Prices {
///     fee: u32,
/// }
///
/// #[task]
/// async fn invoice(request: Input<Request>, prices: State<Prices>) -> Invoice {
///     Invoice { total: prices.fee * request.account.len() as u32 }
/// }
///
/// #[task(retry_attempts = 3)]
/// async fn send(invoice: Output<invoice>, run: TaskContext) -> Result<(), TaskError> {
///     run.report_progress(format!("attempt {}: {} to pay", run.attempt, invoice.total));
///     Ok(())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // They are still functions:
/// let request = Input(Request { account: "acme".to_owned() });
/// let invoice = invoice(request, State::new(Prices { fee: 5 })).await;
/// send(Output(invoice), TaskContext::detached("send")).await.unwrap();
/// # }
/// ```
///
/// # Keys
///
/// All are optional, each may be given once, in any order.
///
/// | key | value | default |
/// |---|---|---|
/// | `id` | the task's id within its workflow, in quotes | the function's name |
/// | `dependencies` | a list of the tasks that end before this one starts: paths of task functions, or ids in quotes | none |
/// | `retry_attempts` | the number of attempts in all, the first included; at least 1 | 1 |
/// | `retry_delay_ms` | milliseconds before the second attempt | 1000 |
/// | `retry_max_delay_ms` | milliseconds that no delay exceeds; at least 1 | 60000, or `retry_delay_ms` if that is more |
/// | `retry_backoff` | how delays grow: `"fixed"`, `"linear"` or `"exponential"` | `"exponential"` |
/// | `retry_factor` | by what exponential delays grow: a number from 1.0 up | 2.0 |
/// | `retry_jitter` | how delays are spread at random: `"none"`, `"full"` or `"equal"` | `"none"` |
/// | `retry_max_elapsed` | a duration after which no attempt is begun any more | never |
/// | `retry_on` | the path of a `fn(&TaskError) -> bool` that tells which errors are worth another attempt | all that are not permanent |
/// | `timeout` | a duration after which an attempt is cut off | the executor's |
/// | `durability` | `"strict"`, or `"pipelined"`: dependents may start before its result is committed | `"strict"` |
/// | `trigger_rules` | a rule that decides whether the task runs | `all_success` |
/// | `blocking` | no value: the plain `fn` runs on the pool of blocking threads | not given |
///
/// The keys that begin with `retry_` need `retry_attempts`.
///
/// **Dependencies.** A path is resolved by rustc, which reports a misspelt one at its place. An id in quotes stands for
/// a task that this code cannot name; it is looked up when the workflow is built.
///
/// **Durations** are whole numbers with the units `h`, `m`, `s` and `ms`, from large to small: `"250ms"`, `"30s"`,
/// `"1m30s"`. Zero is refused.
///
/// ```
/// # use cloacina_core::{Context, TaskError, task};
/// fn is_worth_it(error: &TaskError) -> bool {
///     !error.to_string().contains("no such account")
/// }
///
/// #[task(
///     id = "charge-account",
///     retry_attempts = 5,
///     retry_delay_ms = 100,
///     retry_max_delay_ms = 10_000,
///     retry_factor = 3.0,
///     retry_jitter = "full",
///     retry_max_elapsed = "5m",
///     retry_on = is_worth_it,
///     timeout = "1m30s"
/// )]
/// async fn charge(context: &mut Context) -> Result<(), TaskError> {
///     Ok(())
/// }
///
/// #[task(blocking, dependencies = [charge])]
/// fn print_receipt(context: &mut Context) {}
/// # fn main() {}
/// ```
///
/// # Trigger rules
///
/// A task is decided once all its dependencies have ended. It runs if its rule holds, else it is skipped.
///
/// - Over the states of all dependencies: `all_success`, `all_failed`, `all_done`, `one_success`, `one_failed`,
///   `one_done`, `none_failed`, `none_failed_min_one_success`, `none_skipped`, `all_skipped`,
///   `all_done_min_one_success`, `always`.
/// - On one dependency, named by its path or by its id in quotes: `task_success(extract)`, `task_failed("extract")`,
///   `task_skipped(extract)`.
/// - On a value of the context: `context_value("key", operator, literal)` with `equals`, `not_equals`, `greater_than`,
///   `less_than` (numbers or texts), `contains` or `not_contains`, and `context_value("key", exists)` or `not_exists` without a literal.
///   Literals are texts in quotes, whole numbers of 64 bits, numbers with a fraction, `true` and `false`.
/// - `all(…)`, `any(…)` and `none(…)` join any of these, to any depth.
///
/// ```
/// # use cloacina_core::{Context, task};
/// # #[task]
/// # async fn extract(context: &mut Context) {}
/// #[task(
///     dependencies = [extract],
///     trigger_rules = all(
///         all_success,
///         any(context_value("rows", greater_than, 0), context_value("force", equals, true))
///     )
/// )]
/// async fn load(context: &mut Context) {}
///
/// #[task(dependencies = [extract], trigger_rules = task_failed(extract))]
/// async fn call_for_help(context: &mut Context) {}
/// # fn main() {}
/// ```
///
/// # Fingerprint
///
/// The workflow's version depends on each task's options, signature and body, as they are written: white space,
/// comments, and the commas and semicolons that rustfmt adds do not matter, nor do the function's visibility and its other
/// attributes. Code that the function calls is not part of it, nor are the types that it names.
///
/// Some of what rustfmt does changes it all the same: braces that it adds to or takes from an arm of a `match` or a closure,
/// doubled parentheses and semicolons that it drops, `use` that it sorts, the `|` before the first pattern of an arm, and
/// whatever it does inside the brackets of macros other than `vec!`. That makes a new version, under which executions in
/// flight go on.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task::expand(&options.into(), item.into()).into()
}

/// Makes a workflow of tasks and registers it, so that every executor of the program finds it by its name.
///
/// ```
/// # use cloacina_core::{Context, task, workflow};
/// # #[task]
/// # async fn extract(context: &mut Context) {}
/// # mod stages {
/// #     use super::{Context, extract, task};
/// #     #[task(dependencies = [extract])]
/// #     pub(super) async fn load(context: &mut Context) {}
/// # }
/// workflow! {
///     name: "etl",
///     description: "nightly load",
///     tasks: [extract, stages::load],
/// }
/// # fn main() {}
/// ```
///
/// Goes where an item goes, in a module or in a function; what it registers is known from the start of the program. A
/// library's workflows are part of a program only if that names the crate: where nothing else does, `use my_workflows as _;`
/// is enough.
///
/// # Keys
///
/// Each may be given once, in any order.
///
/// | key | value | |
/// |---|---|---|
/// | `name` | the workflow's name in quotes, not empty | required |
/// | `description` | a text in quotes for those who read lists of workflows | optional |
/// | `tasks` | the paths of its task functions, at least one, each once | required |
///
/// The order of the tasks decides nothing but ties: what runs when follows from their dependencies.
#[proc_macro]
pub fn workflow(input: TokenStream) -> TokenStream {
    workflow::expand(input.into()).into()
}
