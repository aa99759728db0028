//! What an execution waits for.

use serde_json::json;

use crate::{World, long, text};

#[tokio::test]
async fn an_explanation_tells_what_each_task_waits_for() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let id = acme.start("countdown", &long()).await;
    let path = acme.path(&format!("executions/{id}/explanation"));
    let explain = async || acme.client.get(&path).send().await.expect(200);
    let mut told = explain().await;
    while told["tasks"][0]["task"] != "tick" || told["tasks"][0]["reason"]["kind"] != "running" {
        tokio::task::yield_now().await;
        told = explain().await;
    }
    assert_eq!(told["status"], "running");
    assert_eq!(told["reason"]["kind"], "driven", "{told}");
    assert_eq!(told["tasks"][0]["reason"]["attempt"], 1, "{told}");
    let lift_off = json!({
        "task": "lift_off", "reason": { "kind": "dependencies", "tasks": ["tick"] },
    });
    assert_eq!(told["tasks"][1], lift_off, "{told}");
    let words = told["text"].as_str().unwrap();
    assert!(words.ends_with("task `lift_off` waits for `tick`"), "{words}");
    acme.order(&id, "pause").send().await.expect(200);
    let told = explain().await;
    assert_eq!((&told["status"], &told["reason"]), (&json!("paused"), &json!({"kind": "paused"})));
    acme.order(&id, "cancel").send().await.expect(200);
    world.stop().await;
}

#[tokio::test]
async fn what_has_ended_waits_for_nothing_and_what_does_not_exist_is_a_problem() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let id = acme.run("word_count", &text()).await["execution_id"].as_str().unwrap().to_owned();
    let ask = |id: &str| acme.client.get(&acme.path(&format!("executions/{id}/explanation")));
    let told = ask(&id).send().await.expect(200);
    assert_eq!((&told["reason"], &told["tasks"]), (&json!({"kind": "ended"}), &json!([])));
    let unknown = "0190a1b2-0000-7000-8000-000000000001";
    ask(unknown).send().await.expect_problem(404, "unknown-execution");
}
