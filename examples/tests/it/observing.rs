//! The examples that show what an engine tells of itself.

use crate::program::{example, run};

fn said(name: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (said, output) = run(example(name).current_dir(folder.path()));
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn an_explanation_tells_of_each_task_that_is_stuck() {
    let said = said("explain");
    for line in [
        "task `fetch` is retried at ",
        "` runs: attempt 1 since ",
        "` waits for a free slot: 1 of 1 are in use here",
        "task `publish` waits for `fetch`, `scan_files`, `scan_mail`",
        "of workflow `stuck` is paused",
        "` waits: it is paused",
        "task `publish` waits: nobody owns it, and its workflow is not known here",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
}

#[test]
fn a_trace_leads_from_the_request_into_each_attempt() {
    let said = said("opentelemetry");
    let spans: Vec<_> = said.split("Span #").skip(1).collect();
    let field = |span: &str, name: &str| {
        let (_, rest) = span.split_once(name)?;
        Some(rest.lines().next()?.trim_start_matches(':').trim().to_owned())
    };
    let named = |name: &str| -> Vec<_> {
        let is = |span: &&&str| span.contains(&format!("\tName         : {name}\n"));
        spans.iter().filter(is).copied().collect()
    };
    let [request] = named("request")[..] else { panic!("{said}") };
    let attempts = named("attempt");
    assert_eq!(attempts.len(), 3, "two of `reserve`, one of `ship`: {said}");
    for attempt in &attempts {
        assert_eq!(field(attempt, "ParentSpanId "), field(request, "SpanId       "), "{said}");
        assert_eq!(field(attempt, "TraceId      "), field(request, "TraceId      "), "{said}");
    }
    for warehouse in named("warehouse") {
        let parent = field(warehouse, "ParentSpanId ");
        assert!(attempts.iter().any(|one| field(one, "SpanId       ") == parent), "{said}");
    }
}
