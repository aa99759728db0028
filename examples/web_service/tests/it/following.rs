//! Following an execution by server-sent events.

use std::collections::BTreeMap;
use std::time::Duration;

use cloacina_core::ExecutorConfig;
use cloacina_web_service::Limits;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::client::Request;
use crate::{World, long, text};

/// What is heard of an execution.
struct Events {
    _connection: JoinSet<()>,
    body: Incoming,
    text: String,
}

impl Events {
    async fn open(request: Request) -> Self {
        let (connection, response) = request.open().await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        Self { _connection: connection, body: response.into_body(), text: String::new() }
    }

    /// The next event with its data; nothing once the stream has ended.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let heard = field("event: ").zip(field("data: "));
                let heard = heard
                    .map(|(name, data)| (name.to_owned(), serde_json::from_str(data).unwrap()));
                self.text = rest.to_owned();
                if heard.is_some() {
                    return heard;
                }
                // A comment that keeps the connection alive.
                continue;
            }
            let frame = self.body.frame().await?.unwrap();
            self.text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
        }
    }
}

#[tokio::test]
async fn who_follows_hears_of_each_task_and_of_the_end() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let id = acme.start("countdown", &long()).await;
    let path = acme.path(&format!("executions/{id}/events"));
    let mut events = Events::open(acme.client.get(&path)).await;
    let mut told = BTreeMap::new();
    while told.get("tick") != Some(&json!("running")) {
        let (name, data) = events.next().await.unwrap();
        if name == "task" {
            told.insert(data["task"].as_str().unwrap().to_owned(), data["status"].clone());
        }
    }
    assert_eq!(told["fuel"], "completed");
    acme.order(&id, "cancel").send().await.expect(200);
    // Who follows what has ended hears all of it at once.
    let mut again = Events::open(acme.client.get(&path)).await;
    let mut names = Vec::new();
    while let Some((name, _)) = again.next().await {
        names.push(name);
    }
    assert_eq!(names, ["task", "task", "task", "status", "end"]);
    let mut last = None;
    while let Some((name, data)) = events.next().await {
        if name == "task" {
            told.insert(data["task"].as_str().unwrap().to_owned(), data["status"].clone());
        }
        last = Some((name, data["status"].clone()));
    }
    assert_eq!(last, Some(("end".to_owned(), json!("cancelled"))));
    assert_eq!(told["lift_off"], "cancelled");
}

#[tokio::test]
async fn the_end_of_an_execution_is_heard_at_once() {
    // Nothing is looked for while the test runs, so it has to be told.
    let limits = Limits { look_interval: Duration::from_secs(3600), ..Limits::default() };
    let world = World::with(ExecutorConfig::default(), limits).await;
    let acme = world.tenant("acme").await;
    let id = acme.start("countdown", &long()).await;
    let path = acme.path(&format!("executions/{id}/events"));
    let mut events = Events::open(acme.client.get(&path)).await;
    while events.next().await.unwrap().0 != "status" {}
    acme.order(&id, "cancel").send().await.expect(200);
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    let (name, data) = last.unwrap();
    assert_eq!((name.as_str(), &data["status"]), ("end", &json!("cancelled")));
}

#[tokio::test]
async fn who_follows_or_waits_is_let_go_when_the_service_stops() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let id = acme.start("countdown", &long()).await;
    let path = acme.path(&format!("executions/{id}/events"));
    let mut events = Events::open(acme.client.get(&path)).await;
    let mut waiting = JoinSet::new();
    let wait = acme.submit("countdown", &long()).header("prefer", "wait=60");
    waiting.spawn(wait.send());
    while acme.list("workflow=countdown").await["executions"].as_array().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    world.stop().await;
    let mut last = None;
    while let Some(event) = events.next().await {
        last = Some(event);
    }
    let (name, data) = last.unwrap();
    assert_eq!((name.as_str(), &data["type"]), ("problem", &json!("/docs#shutting-down")));
    // What it waited for is on record, and that is what it hears.
    waiting.join_next().await.unwrap().unwrap().expect(202);
}

#[tokio::test]
async fn what_does_not_exist_cannot_be_followed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.run("word_count", &text()).await;
    let nobody = acme.path("executions/0190a6f2-0000-7000-8000-000000000000/events");
    let answer = acme.client.get(&nobody).send().await;
    answer.expect_problem(404, "unknown-execution");
}
