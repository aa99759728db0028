//! What happens when too much is asked for at once.

use cloacina_core::ExecutorConfig;
use cloacina_web_service::Limits;
use tokio::task::JoinSet;

use crate::{World, long, text};

#[tokio::test]
async fn a_tenant_that_waits_for_too_much_is_told_to_try_again_and_others_are_not() {
    let limits = Limits { waiting_requests: 1, ..Limits::default() };
    let world = World::with(ExecutorConfig::default(), limits).await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let id = acme.start("countdown", &long()).await;
    let path = acme.path(&format!("executions/{id}/events"));
    let (connection, follows) = acme.client.get(&path).open().await;
    assert_eq!(follows.status(), 200);
    let refused = acme.client.get(&path).send().await;
    refused.expect_problem(429, "too-many-requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let refused = acme.submit("word_count", &text()).header("prefer", "wait=60").send().await;
    refused.expect_problem(429, "too-many-requests");
    assert_eq!(acme.list("").await["executions"].as_array().unwrap().len(), 1);
    globex.run("word_count", &text()).await;
    // Its place is free once it has gone.
    drop((connection, follows));
    loop {
        let submit = acme.submit("word_count", &text()).header("prefer", "wait=60");
        let answer = submit.send().await;
        if answer.status != 429 {
            break assert_eq!(answer.expect(200)["status"], "completed");
        }
    }
}

#[tokio::test]
async fn a_submit_too_many_is_refused_and_nothing_of_it_is_on_record() {
    let mut config = ExecutorConfig::default();
    config.max_waiting_submits = 1;
    let world = World::with(config, Limits::default()).await;
    let acme = world.tenant("acme").await;
    // One of many at the same time has to wait for another's commit, sooner or later.
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..100 {
        let mut submits = JoinSet::new();
        for _ in 0..16 {
            submits.spawn(acme.submit("word_count", &text()).send());
        }
        for answer in submits.join_all().await {
            if answer.status == 202 {
                accepted += 1;
            } else {
                answer.expect_problem(503, "overloaded");
                assert_eq!(answer.header("retry-after"), Some("1"));
                refused += 1;
            }
        }
        if refused > 0 {
            break;
        }
    }
    assert!(refused > 0, "{accepted} submits were accepted, none refused");
    let metrics = acme.client.get(&acme.path("metrics")).send().await.expect(200);
    assert_eq!(metrics["total_executions"], accepted);
}
