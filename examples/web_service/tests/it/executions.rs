//! Starting, showing and listing executions.

use serde_json::{Value, json};

use crate::{World, long, text};

#[tokio::test]
async fn an_execution_is_on_record_once_it_is_accepted_and_found_where_it_says() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let accepted = acme.submit("word_count", &text()).send().await;
    let location = accepted.header("location").unwrap().to_owned();
    let id = accepted.expect(202)["execution_id"].as_str().unwrap().to_owned();
    assert_eq!(location, acme.path(&format!("executions/{id}")));
    let shown = acme.client.get(&location).send().await.expect(200);
    assert_eq!(shown["execution_id"], id.as_str());
    assert_eq!(shown["workflow_name"], "word_count");
}

#[tokio::test]
async fn who_prefers_to_wait_gets_the_execution_as_it_ended() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let waited = acme.submit("word_count", &text()).header("prefer", "wait=60").send().await;
    assert_eq!(waited.header("preference-applied"), Some("wait=60"));
    let ended = waited.expect(200);
    assert_eq!(ended["status"], "completed");
    assert_eq!(
        ended["context"],
        json!({"text": "a lonely whale", "count": 3, "longest": "lonely"})
    );
    let tasks = ended["tasks"].as_array().unwrap();
    let outputs: Vec<_> = tasks.iter().map(|task| (&task["task"], &task["output"])).collect();
    assert_eq!(outputs[0], (&json!("words"), &json!(["a", "lonely", "whale"])));
    assert_eq!(outputs[3], (&json!("report"), &Value::Null));
    let failed = acme.run("word_count", &json!({"text": " "})).await;
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["tasks"][0]["error"], "the text has no words");
    assert_eq!(failed["tasks"][1]["skipped_because"], "task `words` failed");
}

#[tokio::test]
async fn who_does_not_wait_long_enough_hears_that_it_is_on_record() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let waited =
        acme.submit("countdown", &long()).header("prefer", "respond-async, wait=1").send().await;
    assert_eq!(waited.header("preference-applied"), Some("wait=1"));
    assert_eq!(waited.expect(202)["status"], "running");
}

#[tokio::test]
async fn a_second_request_with_the_same_idempotency_key_gets_the_first_execution() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let submit = |text: &str| {
        acme.submit("word_count", &json!({"text": text})).header("idempotency-key", "order-7")
    };
    let first = submit("one two").send().await.expect(202);
    let second = submit("three").header("prefer", "wait=60").send().await.expect(200);
    assert_eq!(second["execution_id"], first["execution_id"]);
    assert_eq!(second["context"]["text"], "one two");
    let other = acme.submit("countdown", &long()).header("idempotency-key", "order-7").send().await;
    let problem = other.expect_problem(409, "conflict");
    assert!(problem["detail"].as_str().unwrap().contains("belongs to execution"), "{problem}");
    // Another tenant's keys are its own.
    let globex = world.tenant("globex").await;
    let elsewhere = globex.submit("word_count", &text()).header("idempotency-key", "order-7");
    assert_ne!(elsewhere.send().await.expect(202)["execution_id"], first["execution_id"]);
}

#[tokio::test]
async fn pages_lead_to_each_execution_once_newest_first() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let mut started = Vec::new();
    for _ in 0..5 {
        started.push(acme.start("word_count", &text()).await);
    }
    started.reverse();
    let (mut listed, mut query) = (Vec::new(), "limit=2".to_owned());
    loop {
        let page = acme.list(&query).await;
        let executions = page["executions"].as_array().unwrap();
        assert!(executions.len() <= 2);
        listed
            .extend(executions.iter().map(|one| one["execution_id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("limit=2&cursor={next}");
    }
    assert_eq!(listed, started);
}

#[tokio::test]
async fn a_list_has_what_its_filter_says() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.run("word_count", &text()).await;
    acme.run("word_count", &json!({"text": ""})).await;
    acme.start("countdown", &long()).await;
    for (query, count) in [
        ("", 3),
        ("status=failed", 1),
        ("status=running", 1),
        ("workflow=word_count", 2),
        ("workflow=word_count&status=completed", 1),
        ("workflow=countdown&status=completed", 0),
        ("workflow=nobody_knows", 0),
    ] {
        let page = acme.list(query).await;
        assert_eq!(page["executions"].as_array().unwrap().len(), count, "{query}: {page}");
        assert_eq!(page["next"], Value::Null);
    }
}

#[tokio::test]
async fn metrics_count_what_a_tenant_has_done_and_nobody_elses() {
    let world = World::new().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    acme.run("word_count", &text()).await;
    acme.run("word_count", &json!({"text": ""})).await;
    acme.start("countdown", &long()).await;
    let metrics = acme.client.get(&acme.path("metrics")).send().await.expect(200);
    assert_eq!(metrics["total_executions"], 3);
    assert_eq!(metrics["completed_executions"], 1);
    assert_eq!(metrics["failed_executions"], 1);
    assert_eq!(metrics["active_executions"], 1);
    assert!(metrics["avg_execution_seconds"].as_f64().unwrap() > 0.0);
    let others = globex.client.get(&globex.path("metrics")).send().await.expect(200);
    assert_eq!(others["total_executions"], 0);
}
