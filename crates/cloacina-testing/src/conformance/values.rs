//! Values that come back as they went in.

use cloacina_core::backend::{AttemptState, Control, EventKind, NewEvent};
use cloacina_core::{PipelineStatus, SkipReason, TaskId, TaskState};

use super::{
    CheckpointBuilder, Fixture, all, attempt_failure, attempt_start, checkpoint, execution,
    task_end,
};

/// Text that some layer between here and the disk may want to quote, cut, fold or replace.
const ODD: [&str; 14] = [
    "it's",
    "\"double\"",
    "back\\slash \\' \\n \\x41 \\u0041",
    "line\nbreak\r\nand\ttab",
    "  blanks  ",
    "{a,b,NULL}",
    "NULL",
    "$1 $$ ? :name @x %s {} --",
    "'; DROP TABLE executions; --",
    "k\u{e9}y and ke\u{301}y",
    "\u{1f980}\u{10ffff}\u{1d11e}",
    "\u{feff}bom \u{200d}\u{202e} \u{fffd}",
    "\u{1}\u{7f}\u{85}\u{2028}",
    "null",
];

/// JSON of which a store that parses it would change the text.
const JSON: [&str; 15] = [
    "{}",
    r#"{"nul":"\u0000","pair":"\ud83e\udd80","lone":"\ud800"}"#,
    r#"{"max":9223372036854775807,"min":-9223372036854775808,"u64":18446744073709551615}"#,
    r#"{"beyond":123456789012345678901234567890,"exact":9007199254740993}"#,
    r#"{"float":0.1,"e":1e308,"tiny":5e-324,"minus":-0.0,"form":1.0,"exp":1E+2}"#,
    r#"{"b":1,"a":2,"b":3}"#,
    "{ \"spaces\" :  [ 1 , 2 ]\n}",
    r#"{"":"","null":null,"t":true}"#,
    "{\"astral\":\"\u{1f980}\u{10ffff}\",\"line\":\"\u{2028}\"}",
    r#"{"quote":"\"'\\ / \/ \b\f\n\r\t","sql":"'; --"}"#,
    "null",
    "\"text\"",
    "[]",
    "0",
    "false",
];

async fn json_comes_back(fx: &Fixture, json: &str, what: &str) {
    let me = fx.worker().await;
    let id = fx.submit(execution().owner(me).input(json)).await;
    let end = task_end("load").changes(json).output(json);
    fx.committed(checkpoint(id, me, 1).task(end)).await;
    let snapshot = fx.load(id).await;
    let task = &snapshot.tasks[0];
    assert!(snapshot.input.as_str() == json, "the input changed: {what}");
    let changes = task.changes.as_ref().expect("changes were stored");
    assert!(changes.as_str() == json, "the changes changed: {what}");
    let output = task.output.as_ref().expect("an output was stored");
    assert!(output.as_str() == json, "the output changed: {what}");
}

/// Catches a column type that parses, folds, rounds or refuses JSON.
pub async fn values_of_json_come_back_byte_for_byte(fx: &Fixture) {
    for json in JSON {
        json_comes_back(fx, json, json).await;
    }
}

/// Catches a limit on the depth of JSON.
pub async fn values_of_deep_json_come_back(fx: &Fixture) {
    let depth = 500;
    let json = format!("{}{}", r#"{"a":["#.repeat(depth), "]}".repeat(depth));
    json_comes_back(fx, &json, "1000 levels deep").await;
}

/// Catches a limit on the size of a value.
pub async fn values_of_a_megabyte_come_back(fx: &Fixture) {
    let json = format!(r#"{{"text":"{}"}}"#, "0123456789abcde\u{e9}".repeat(64 * 1024));
    assert!(json.len() > 1_000_000, "the value of this case is too small");
    json_comes_back(fx, &json, "a value of one megabyte").await;
}

/// Catches names of tasks and workflows, and errors, that are folded, cut or mixed up.
pub async fn values_of_odd_text_come_back(fx: &Fixture) {
    let me = fx.worker().await;
    for text in ODD {
        let new = execution().owner(me).workflow(text, text).key(text).input("{}");
        let id = fx.submit(new).await;
        let step = checkpoint(id, me, 1)
            .task(task_end(text).failed(text))
            .start(attempt_start(text, 1))
            .failure(attempt_failure(text, 2, text))
            .event(NewEvent {
                kind: EventKind::Retried,
                task: Some(text.into()),
                detail: text.to_owned(),
            });
        fx.committed(step.fail(text)).await;
        let snapshot = fx.load(id).await;
        let record = &snapshot.record;
        assert_eq!(&*record.workflow.name, text, "name of the workflow");
        assert_eq!(&*record.workflow.version, text, "version of the workflow");
        assert_eq!(record.idempotency_key.as_deref(), Some(text), "idempotency key");
        assert_eq!(record.error.as_deref(), Some(text), "error of the execution");
        assert_eq!(snapshot.tasks[0].task.as_str(), text, "name of the task");
        assert_eq!(snapshot.tasks[0].error.as_deref(), Some(text), "error of the task");
        let names = snapshot.attempts.iter().map(|row| row.task.as_str());
        assert!(names.eq([text, text]), "task of the attempts: {:?}", snapshot.attempts);
        let failed = snapshot.attempts.iter().find(|row| row.state == AttemptState::Failed);
        let error = failed.and_then(|row| row.error.as_deref());
        assert_eq!(error, Some(text), "error of the attempt");
        let events = fx.store().events(id).await.expect("events answers");
        assert_eq!(events[0].event.task, Some(TaskId::new(text)), "task of the event");
        assert_eq!(events[0].event.detail, text, "detail of the event");
    }
    let found = fx.store().list(&all()).await.expect("list answers");
    assert_eq!(found.len(), ODD.len(), "executions with odd names");
}

/// Catches items of one batch whose text breaks the encoding of the items beside them.
pub async fn values_of_odd_text_share_a_checkpoint(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let mut step = checkpoint(id, me, 1);
    for (ordinal, text) in (0..).zip(ODD) {
        let end = task_end(text).ordinal(ordinal);
        step = step.task(if ordinal % 2 == 0 { end.failed(text) } else { end.output("1") });
    }
    fx.committed(step).await;
    let tasks = fx.load(id).await.tasks;
    let names: Vec<_> = tasks.iter().map(|task| task.task.as_str()).collect();
    assert_eq!(names, ODD, "names of the tasks of one checkpoint");
    for (n, task) in tasks.iter().enumerate() {
        let expected = (n % 2 == 0).then_some(ODD[n]);
        assert_eq!(task.error.as_deref(), expected, "error of task {n}");
        assert_eq!(task.output.is_some(), n % 2 == 1, "whether task {n} returned something");
    }
}

/// Catches an absent value that comes back as an empty one, or the other way round.
pub async fn values_absent_and_empty_stay_apart(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit(execution().owner(me).key("")).await;
    let step: CheckpointBuilder = checkpoint(id, me, 1)
        .task(task_end("absent").ordinal(0))
        .task(task_end("empty").ordinal(1).failed("").changes("null").output("null"));
    fx.committed(step.fail("")).await;
    let snapshot = fx.load(id).await;
    let (absent, empty) = (&snapshot.tasks[0], &snapshot.tasks[1]);
    assert_eq!((&absent.error, &absent.changes, &absent.output), (&None, &None, &None), "absent");
    assert_eq!(absent.skip, None, "a reason for a task that was not skipped");
    assert_eq!(empty.error.as_deref(), Some(""), "an empty error");
    let null = |json: &Option<cloacina_core::backend::JsonText>| {
        json.as_ref().is_some_and(|json| json.as_str() == "null")
    };
    assert!(null(&empty.changes) && null(&empty.output), "the JSON value `null` is a value");
    assert_eq!(snapshot.record.error.as_deref(), Some(""), "an empty error of the execution");
    assert_eq!(snapshot.record.idempotency_key.as_deref(), Some(""), "an empty key");
}

/// Catches a state or a reason that the store does not know.
pub async fn values_of_every_state_and_reason_come_back(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let reasons = [
        SkipReason::Condition,
        SkipReason::UpstreamSkipped("it's \"a\"\\".into()),
        SkipReason::UpstreamFailed("b\n\u{1f980}".into()),
    ];
    let mut step = checkpoint(id, me, 1);
    for (ordinal, reason) in (0..).zip(&reasons) {
        step = step.task(task_end(format!("s{ordinal}")).ordinal(ordinal).skipped(reason.clone()));
    }
    for (ordinal, state) in (3..).zip([TaskState::Completed, TaskState::Failed]) {
        step = step.task(task_end(format!("s{ordinal}")).ordinal(ordinal).state(state));
    }
    fx.committed(step).await;
    fx.control(id, Control::Cancel { tasks: vec![("s5".into(), 5)] }).await;
    let tasks = fx.load(id).await.tasks;
    let found: Vec<_> = tasks.iter().map(|task| (task.state, task.skip.clone())).collect();
    let skipped = reasons.into_iter().map(|reason| (TaskState::Skipped, Some(reason)));
    let others = [TaskState::Completed, TaskState::Failed, TaskState::Cancelled];
    let expected: Vec<_> = skipped.chain(others.map(|state| (state, None))).collect();
    assert_eq!(found, expected, "(state, reason) of the tasks");
    assert_eq!(fx.record(id).await.status, PipelineStatus::Cancelled, "status");
}

/// Catches numbers that are cut to 16 bits, or that lose their sign.
pub async fn values_of_large_numbers_come_back(fx: &Fixture) {
    let me = fx.worker().await;
    let id = fx.submit_owned(me).await;
    let large = 2_147_483_647;
    let step = checkpoint(id, me, 1)
        .task(task_end("load").ordinal(large).attempts(large))
        .start(attempt_start("report", large));
    fx.committed(step).await;
    let snapshot = fx.load(id).await;
    let task = &snapshot.tasks[0];
    assert_eq!((task.ordinal, task.attempts), (large, large), "(ordinal, attempts)");
    assert_eq!(snapshot.attempts[0].attempt, large, "number of the attempt");
}
