//! What can be ordered of an execution.

use serde_json::json;

use crate::{World, long, text};

#[tokio::test]
async fn a_cancelled_execution_stays_cancelled_and_can_be_repeated() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let id = acme.start("countdown", &long()).await;
    for _ in 0..2 {
        assert_eq!(acme.order(&id, "cancel").send().await.expect(200)["status"], "cancelled");
    }
    let repeated = acme.order(&id, "retry").send().await;
    let location = repeated.header("location").unwrap().to_owned();
    let again = repeated.expect(202)["execution_id"].as_str().unwrap().to_owned();
    assert!(location.ends_with(&again) && again != id);
    let page = acme.list("workflow=countdown").await;
    assert_eq!(page["executions"][0]["retry_of"], id.as_str());
    acme.order(&again, "cancel").send().await.expect(200);
}

#[tokio::test]
async fn a_paused_execution_goes_on_when_it_is_resumed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let id = acme.start("countdown", &long()).await;
    assert_eq!(acme.order(&id, "pause").send().await.expect(200)["status"], "paused");
    let resumed = acme.order(&id, "resume").send().await.expect(200);
    assert_ne!(resumed["status"], "paused");
    acme.order(&id, "cancel").send().await.expect(200);
}

#[tokio::test]
async fn orders_that_come_too_late_are_conflicts() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let ended = acme.run("word_count", &text()).await;
    let id = ended["execution_id"].as_str().unwrap();
    for order in ["cancel", "pause", "resume", "retry"] {
        let problem = acme.order(id, order).send().await.expect_problem(409, "conflict");
        assert!(problem["detail"].as_str().unwrap().contains("is completed"), "{problem}");
    }
    // And one that comes too early.
    let id = acme.start("countdown", &json!({"seconds": 600})).await;
    acme.order(&id, "retry").send().await.expect_problem(409, "conflict");
}
