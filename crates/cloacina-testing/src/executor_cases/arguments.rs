//! What tasks get beside their context: outputs, the input, state, and what they say of their progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use cloacina_core::{
    Context, ExecutorError, Input, NotCompleted, Output, PipelineStatus, State, Task, TaskContext,
    TaskDefinition, TaskError, TaskState, TenantId, TriggerRule, Workflow, task,
};
use serde_json::json;

use super::ExecutorBuilder;
use super::bodies::{Gate, Journal, gated};
use super::fixture::{Executor, ExecutorFixture, ended, input, until, workflow};
use crate::conformance::soon;

/// How many items an order has.
#[derive(Debug, serde::Deserialize)]
struct Order {
    items: u32,
}

/// How often a task ran.
#[derive(Default)]
struct Calls(AtomicU32);

#[task]
async fn count(order: Input<Order>, State(calls): State<Calls>) -> u32 {
    calls.0.fetch_add(1, Ordering::SeqCst);
    order.items
}

#[task(dependencies = ["wait"])]
async fn double(context: &mut Context, count: Output<count>) -> Result<(u32, String), TaskError> {
    context.insert("seen", json!(*count))?;
    Ok((*count * 2, "twice".to_owned()))
}

#[task]
async fn refuse(order: Input<Order>) -> Result<u32, String> {
    Err(format!("{} are too many", order.items))
}

#[task(trigger_rules = context_value("none", exists))]
async fn skip(_order: Input<Order>) {}

#[task(trigger_rules = all_done)]
async fn gather(
    double: Option<Output<double>>,
    refuse: Result<Output<refuse>, NotCompleted>,
    skip: Option<Output<skip>>,
    run: TaskContext,
) -> String {
    let refuse = refuse.map_or_else(|error| error.to_string(), |output| output.to_string());
    let double = double.map(|Output((number, text))| format!("{text} {number}"));
    let tenant = run.tenant.map(|tenant| tenant.to_string());
    format!("{double:?}, {refuse}, {}, {tenant:?}", skip.is_some())
}

fn flow(gate: &Gate, journal: &Journal) -> Workflow {
    let wait = gated("wait", gate, journal);
    let tasks = [count::task(), wait, double::task(), refuse::task(), skip::task(), gather::task()];
    workflow("flow", tasks)
}

fn stated(builder: ExecutorBuilder) -> ExecutorBuilder {
    builder.state(Calls::default()).tenant(TenantId::new("acme").expect("it is a name"))
}

/// Catches outputs that are lost with the process that made them, and reasons that change on the way.
pub async fn outputs_reach_their_tasks_across_a_crash(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let first = fx.process_with([flow(&gate, &journal)], stated).await;
    let order = input(json!({"items": 7}));
    let id = first.execute_async("flow", order).await.expect("a submit").execution_id;
    gate.arrived(1).await;
    let store = fx.store();
    until("the others are committed", async || store.load(id).await.tasks.len() == 3).await;
    first.crash().await;
    let second = fx.process_with([flow(&gate, &journal)], stated).await;
    gate.arrived(1).await;
    gate.open(2);
    let result = second.ended_as(id, PipelineStatus::Failed).await;
    let output = |task: &str| result.task(task).and_then(|task| task.output.clone());
    assert_eq!(output("double"), Some(json!([14, "twice"])));
    let gathered =
        "Some(\"twice 14\"), task `refuse` failed: 7 are too many, false, Some(\"acme\")";
    assert_eq!(output("gather"), Some(json!(gathered)));
    assert_eq!(result.final_context.get("seen"), Some(&json!(7)));
}

/// Catches an output that a repeated execution has lost.
pub async fn outputs_reach_their_tasks_in_a_repeated_execution(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let process = fx.process_with([flow(&gate, &journal)], stated).await;
    let execution = process.execute_async("flow", input(json!({"items": 7}))).await;
    let execution = execution.expect("a submit");
    gate.arrived(1).await;
    let (store, id) = (fx.store(), execution.execution_id);
    until("the others are committed", async || store.load(id).await.tasks.len() == 3).await;
    execution.cancel().await.expect("a cancel");
    until("the body is dropped", async || process.metrics().running_tasks == 0).await;
    let again = process.retry_execution(id).await.expect("it is repeated");
    gate.arrived(1).await;
    gate.open(1);
    let result = ended(&again).await;
    let double = result.task("double").expect("it has a result");
    assert_eq!(double.output, Some(json!([14, "twice"])), "{result:?}");
}

/// Catches a body that runs without the output that it takes.
pub async fn a_task_fails_for_good_without_an_output_that_it_takes(fx: &ExecutorFixture) {
    let fail = Task::new("fail", |_, _| Box::pin(async { Err::<u32, _>("no route") }));
    let take = |id: &str| {
        Task::new(id, |_, run| Box::pin(async { Ok::<u32, TaskError>(run.output("fail")??) }))
            .trigger_rules(TriggerRule::AllDone)
    };
    let tasks = [fail, take("take").depends_on(["fail"]), take("stranger")];
    let process = fx.process([workflow("w", tasks)]).await;
    let result = process.run("w").await;
    let error = |task: &str| result.task(task).and_then(|task| task.error_message.clone());
    assert_eq!(error("take").as_deref(), Some("task `fail` failed: no route"));
    let stranger = "task `fail` is not among the dependencies of `stranger`";
    assert_eq!(error("stranger").as_deref(), Some(stranger));
}

/// Catches an input that is accepted though its tasks cannot take it, and a refusal that leaves something behind.
pub async fn an_input_that_a_task_cannot_take_is_refused(fx: &ExecutorFixture) {
    let (gate, journal) = (Gate::new(), Journal::new());
    let process = fx.process_with([flow(&gate, &journal)], stated).await;
    let error =
        process.execute("flow", input(json!({"item": 7}))).await.expect_err("it is refused");
    let ExecutorError::InputMismatch { workflow, task, type_name, source } = &error else {
        panic!("another error: {error}");
    };
    assert_eq!((workflow.as_str(), task.as_str()), ("flow", "count"), "{error}");
    assert!(type_name.ends_with("Order"), "{error}");
    assert_eq!(source.to_string(), "missing field `items`");
    let all = process.list_executions().await.expect("a list");
    assert_eq!(all, [], "nothing was made of it");
}

/// Catches an executor that starts without the state that its tasks need, and a client that asks for it.
pub async fn an_executor_without_the_state_of_its_tasks_is_not_built(fx: &ExecutorFixture) {
    let flow = || flow(&Gate::new(), &Journal::new());
    let build = async |settings: fn(ExecutorBuilder) -> ExecutorBuilder| {
        let backend = super::SharedBackend::new(fx.store().another_handle().await);
        let builder = settings(Executor::builder().workflows([flow()]));
        soon("the start of an executor", builder.build_on(backend)).await
    };
    let error = build(|builder| builder.state(7_u32)).await.expect_err("it is refused");
    let ExecutorError::MissingState { workflow, task, type_name } = &error else {
        panic!("another error: {error}");
    };
    assert_eq!((workflow.as_str(), task.as_str()), ("flow", "count"), "{error}");
    assert!(type_name.ends_with("::Calls"), "{error}");
    let error =
        build(|builder| builder.state(7_u32).state(8_u32)).await.expect_err("it is refused");
    assert!(error.to_string().starts_with("state `u32` is given twice"), "{error}");
    let client = build(|builder| builder.client_only()).await.expect("a client runs no tasks");
    client.shutdown().await.expect("a shutdown");
}

/// Catches progress that is not shown at once by the process that runs the task, or never by others, or after its end.
pub async fn progress_is_shown_while_the_task_runs(fx: &ExecutorFixture) {
    let gate = Gate::new();
    let waiting = gate.clone();
    let steps = Task::new("steps", move |_, run| {
        let gate = waiting.clone();
        Box::pin(async move {
            for step in 1..=2 {
                run.report_progress(format!("step {step} of 2"));
                gate.pass().await;
            }
        })
    });
    let flow = || workflow("w", [steps.clone()]);
    let owner = fx.process([flow()]).await;
    let other = fx.process([flow()]).await;
    let execution = owner.start("w").await;
    let id = execution.execution_id;
    let shown = async |process: &Executor| {
        let result = process.get_execution_result(id).await.expect("it exists");
        let steps = result.task("steps").expect("it has a result").clone();
        (steps.status, steps.progress)
    };
    for step in 1..=2 {
        gate.arrived(1).await;
        let expected = (TaskState::Running, Some(format!("step {step} of 2")));
        assert_eq!(shown(&owner).await, expected, "where it runs, at once");
        until("others see it too", async || shown(&other).await == expected).await;
        gate.open(1);
    }
    ended(&execution).await;
    for process in [&owner, &other] {
        assert_eq!(shown(process).await, (TaskState::Completed, None), "after its end");
    }
}

/// Catches state that is copied for each task or process-wide.
pub async fn state_is_shared_by_the_tasks_of_an_executor(fx: &ExecutorFixture) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = |id: &str| {
        let count = |_: &mut Context, run: &TaskContext| {
            let calls = run.state::<Arc<AtomicU32>>().ok_or("no state")?;
            calls.fetch_add(1, Ordering::SeqCst);
            Ok::<_, TaskError>(run.state::<u8>().is_none())
        };
        Task::blocking(id, count).needs_state::<Arc<AtomicU32>>()
    };
    let tasks = [counted("a"), counted("b"), counted("c").depends_on(["a", "b"])];
    let state = Arc::clone(&calls);
    let process = fx.process_with([workflow("w", tasks)], |builder| builder.state(state)).await;
    let result = process.run("w").await;
    assert!(result.task_results.iter().all(|task| task.output == Some(json!(true))), "{result:?}");
    assert_eq!(calls.load(Ordering::SeqCst), 3, "one counter for all");
}
