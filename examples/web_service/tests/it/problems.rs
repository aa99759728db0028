//! Each way to be refused.

use cloacina_core::ExecutorConfig;
use cloacina_web_service::Limits;
use hyper::Method;
use serde_json::json;

use crate::{World, text};

const NOBODY: &str = "executions/0190a6f2-0000-7000-8000-000000000000";

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    for path in ["/", "/tenants/acme/other", "/nothing/here"] {
        acme.client.get(path).send().await.expect_problem(404, "unknown-route");
    }
    let answer = acme.client.get(&acme.path(NOBODY)).send().await;
    answer.expect_problem(404, "unknown-execution");
    for order in ["cancel", "pause", "resume", "retry"] {
        let answer = acme.client.post(&acme.path(&format!("{NOBODY}/{order}"))).send().await;
        answer.expect_problem(404, "unknown-execution");
    }
    let problem = acme.submit("sail", &text()).send().await.expect_problem(404, "unknown-workflow");
    assert!(problem["detail"].as_str().unwrap().contains("`word_count`"), "{problem}");
    for answer in [
        world.operator.delete("/tenants/initech").send().await,
        world.operator.post("/tenants/initech/token").send().await,
    ] {
        answer.expect_problem(404, "unknown-tenant");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_have_is_not_allowed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    for (method, path, allowed) in [
        (Method::GET, acme.path("workflows"), "POST"),
        (Method::PUT, "/tenants".to_owned(), "POST"),
        (Method::PATCH, acme.path(NOBODY), "GET,HEAD"),
    ] {
        let answer = acme.client.request(method, &path).send().await;
        answer.expect_problem(405, "method-not-allowed");
        assert_eq!(answer.header("allow"), Some(allowed));
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_malformed_and_one_of_another_type_is_not_supported() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let path = acme.path("workflows");
    let json = |body: &'static str| {
        acme.client.post(&path).body(body).header("content-type", "application/json").send()
    };
    for body in ["", "{", "nonsense", "\u{feff}{}"] {
        json(body).await.expect_problem(400, "malformed");
    }
    let answer = acme.client.post(&path).body("{}").send().await;
    answer.expect_problem(415, "unsupported-media-type");
    let answer = acme.client.post(&path).body("{}").header("content-type", "text/plain");
    answer.send().await.expect_problem(415, "unsupported-media-type");
    let answer = acme.client.get("/tenants/%ff/executions").unchecked().await;
    answer.expect_problem(400, "malformed");
}

#[tokio::test]
async fn input_that_is_not_allowed_is_refused_and_says_why() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    for (body, why) in [
        (json!(["word_count", {"text": "one"}]), "must be an object"),
        (json!({"context": {}}), "missing field `workflow_name`"),
        (json!({"workflow_name": "word_count", "context": 7}), "context"),
        (json!({"workflow_name": "word_count", "colour": "red"}), "unknown field `colour`"),
        (json!({"workflow_name": "word_count"}), "missing field `text`"),
        (json!({"workflow_name": "word_count", "context": {"text": 7}}), "expected a string"),
        (json!({"workflow_name": "countdown", "context": {"seconds": -1}}), "invalid value"),
    ] {
        let answer = acme.client.post(&acme.path("workflows")).json(&body).send().await;
        let problem = answer.expect_problem(422, "invalid-input");
        assert!(problem["detail"].as_str().unwrap().contains(why), "{why}: {problem}");
    }
    for query in ["limit=0", "limit=201", "limit=x", "status=lost", "cursor=7", "colour=red"] {
        let answer = acme.client.get(&acme.path(&format!("executions?{query}"))).send().await;
        answer.expect_problem(422, "invalid-input");
    }
    for key in ["", &"k".repeat(256), "\u{fe}"] {
        let answer = acme.submit("word_count", &text()).header("idempotency-key", key).send().await;
        answer.expect_problem(422, "invalid-input");
    }
    let answer = acme.client.get(&acme.path("executions/7")).send().await;
    let problem = answer.expect_problem(422, "invalid-input");
    assert!(problem["detail"].as_str().unwrap().contains("expected a UUID"), "{problem}");
    for name in ["", "Acme", "pg_acme", "../acme", "public"] {
        let answer = world.operator.post("/tenants").json(&json!({"tenant": name})).send().await;
        answer.expect_problem(422, "invalid-input");
    }
    assert_eq!(acme.list("").await["executions"], json!([]));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let limits = Limits { body_bytes: 4096, ..Limits::default() };
    let world = World::with(ExecutorConfig::default(), limits).await;
    let acme = world.tenant("acme").await;
    let large = json!({"text": "x".repeat(5000)});
    acme.submit("word_count", &large).send().await.expect_problem(413, "too-large");
}

#[tokio::test]
async fn a_context_that_is_too_large_is_refused() {
    let mut config = ExecutorConfig::default();
    config.max_context_bytes = 1000;
    let world = World::with(config, Limits::default()).await;
    let acme = world.tenant("acme").await;
    let large = json!({"text": "x".repeat(2000)});
    let problem = acme.submit("word_count", &large).send().await.expect_problem(413, "too-large");
    assert!(problem["detail"].as_str().unwrap().contains("the limit is 1000"), "{problem}");
}

#[tokio::test]
async fn a_database_that_is_damaged_is_our_failure_and_its_path_stays_ours() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let file = world.folder().join("tenants/acme.db");
    std::fs::write(&file, "no database at all, and longer than the header of one".repeat(9))
        .unwrap();
    let answer = acme.client.get(&acme.path("executions")).send().await;
    assert!(answer.status >= 500, "{}", answer.text());
    let place = world.folder().to_str().unwrap();
    assert!(!answer.text().contains(place) && !answer.text().contains(".db"), "{}", answer.text());
    // The others are well.
    let globex = world.tenant("globex").await;
    globex.run("word_count", &text()).await;
}
