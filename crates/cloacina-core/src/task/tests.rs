//! Tests of tasks and their errors.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::Duration;

use serde_json::json;

use super::{Body, IntoTaskOutput, Task, TaskError};
use crate::backend::JsonText;
use crate::retry::LONGEST_WAIT;

#[derive(Debug, thiserror::Error)]
#[error("{text}")]
struct Layer {
    text: &'static str,
    source: Option<Box<Layer>>,
}

fn layers(texts: &[&'static str]) -> Layer {
    let (first, rest) = texts.split_first().unwrap();
    Layer { text: first, source: (!rest.is_empty()).then(|| Box::new(layers(rest))) }
}

#[test]
fn an_error_keeps_its_causes() {
    let message = |texts| TaskError::from(layers(texts)).message().to_owned();
    assert_eq!(message(&["cannot load"]), "cannot load");
    assert_eq!(message(&["cannot load", "no file", "denied"]), "cannot load: no file: denied");
    assert_eq!(message(&["cannot load: no file", "no file"]), "cannot load: no file");
    assert_eq!(message(&["no file", "no file"]), "no file");
    assert_eq!(message(&["status 500", "500", "0"]), "status 500: 500: 0", "they only look alike");
}

#[test]
fn an_error_is_made_of_whatever_becomes_a_boxed_error() {
    let boxed: Box<dyn std::error::Error + Send + Sync> = Box::new(layers(&["a", "b"]));
    let messages = [
        TaskError::from("a text"),
        TaskError::from(String::from("a text")),
        TaskError::from(boxed),
        TaskError::permanent(layers(&["a", "b"])),
    ]
    .map(|error| error.message().to_owned());
    assert_eq!(messages, ["a text", "a text", "a: b", "a: b"]);
}

#[test]
fn an_error_gives_back_what_it_was_made_of() {
    let error = TaskError::from(layers(&["outer", "inner"])).retry_after(Duration::from_secs(1));
    assert_eq!(error.downcast_ref::<Layer>().map(|layer| layer.text), Some("outer"));
    let wrapped = TaskError::from(std::io::Error::other("x"));
    assert!(wrapped.downcast_ref::<std::io::Error>().is_some());
    assert!(error.downcast_ref::<std::fmt::Error>().is_none());
    assert!(TaskError::new(layers(&["outer"])).downcast_ref::<Layer>().is_none());
}

#[test]
fn an_error_becomes_one_like_others() {
    let error = TaskError::from(layers(&["outer", "inner"])).into_error();
    assert_eq!(error.to_string(), "outer");
    assert_eq!(error.source().unwrap().to_string(), "inner");
    let error = TaskError::new("a text").into_error();
    assert_eq!((error.to_string().as_str(), error.source().is_none()), ("a text", true));
}

#[test]
fn an_error_says_what_becomes_of_its_retry() {
    let error = TaskError::new("x");
    assert_eq!((error.is_permanent(), error.delay()), (false, None));
    let error = TaskError::permanent("x");
    assert_eq!((error.is_permanent(), error.delay()), (true, None));
    let error = TaskError::new(7).retry_after(Duration::from_secs(3));
    assert_eq!((error.is_permanent(), error.delay()), (false, Some(Duration::from_secs(3))));
    assert_eq!((error.to_string(), error.message()), ("7".to_owned(), "7"));
}

#[test]
fn what_a_body_returns_becomes_json() {
    assert!(().into_task_output().unwrap().is_none());
    let none: Result<(), TaskError> = Ok(());
    assert!(none.into_task_output().unwrap().is_none());
    let value: Result<_, TaskError> = Ok((1, "x"));
    assert_eq!(value.into_task_output().unwrap(), Some(json!([1, "x"])));
    let failed: Result<(), _> = Err("no".parse::<u8>().unwrap_err());
    assert_eq!(failed.into_task_output().unwrap_err().message(), "invalid digit found in string");
    let not_json: Result<_, TaskError> = Ok(BTreeMap::from([((1, 2), 3)]));
    let error = not_json.into_task_output().unwrap_err();
    assert!(error.is_permanent());
    assert!(error.message().starts_with("what the task returned cannot be written as JSON: "));
}

#[test]
fn what_a_task_declares_that_it_needs_goes_with_its_body() {
    let task = Task::blocking("a", |_, _| ()).needs_state::<u8>().takes_input::<Vec<u8>>();
    assert_eq!((task.states.len(), task.inputs.len()), (1, 1));
    assert!(task.inputs[0].check(&json!([1, 2])).is_ok());
    assert_eq!(
        task.inputs[0].check(&json!({})).unwrap_err().to_string().split(',').next(),
        Some("invalid type: map")
    );
    let task = task.takes_output::<Option<u8>>("b");
    let needs = |output: &str| task.outputs[0].check(Some(&JsonText::new(output)));
    assert!(task.outputs[0].check(None).is_ok() && needs("7").is_ok());
    assert!(needs("\"x\"").unwrap_err().to_string().starts_with("invalid type: string"));
    let stub = task.retry(crate::RetryPolicy::new(3)).depends_on(["b"]).replace_body(|_, _| ());
    assert_eq!((stub.states.len(), stub.inputs.len(), stub.outputs.len()), (0, 0, 0));
    assert_eq!(stub.dependencies.len(), 1);
    assert!(matches!(stub.body, Body::Blocking(_)), "it runs where its own body did");
    let stub = Task::new("a", |_, _| Box::pin(async {})).replace_body(|_, _| ());
    assert!(matches!(stub.body, Body::Async(_)), "it runs where its own body did");
}

#[test]
fn progress_is_kept_short() {
    let run = super::TaskContext::detached("a");
    assert_eq!(run.progress(), None);
    run.report_progress("ä".repeat(4_000));
    assert_eq!(run.progress().map(|text| text.len()), Some(4096));
}

#[test]
fn state_never_shows_what_it_holds() {
    let state = super::State::new("secret".to_owned());
    let mut states = super::States::default();
    assert!(states.add("secret".to_owned()));
    assert!(!states.add("another".to_owned()));
    for shown in [format!("{state:?}"), format!("{states:?}")] {
        assert!(shown.contains("alloc::string::String") && !shown.contains("secret"), "{shown}");
    }
}

#[test]
fn a_timeout_can_be_added_to_any_instant() {
    let task = Task::blocking("a", |_context, _run| ()).timeout(Duration::MAX);
    assert_eq!(task.timeout, Some(LONGEST_WAIT));
    assert!(format!("{task:?}").contains("TaskId(\"a\")"));
}

#[test]
fn dependencies_keep_the_order_of_their_declaration() {
    let task = Task::blocking("a", |_context, _run| ()).depends_on(["z", "b"]).depends_on(["c"]);
    assert_eq!(task.dependencies(), ["z", "b", "c"].map(crate::TaskId::from));
}
