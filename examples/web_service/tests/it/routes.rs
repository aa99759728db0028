//! The document, the page, and what every answer has.

use std::collections::BTreeSet;

use hyper::Method;

use crate::World;

#[tokio::test]
async fn the_document_has_exactly_the_routes_that_there_are() {
    let world = World::new().await;
    let execution = "/tenants/{tenant}/executions/{execution_id}";
    let expected = [
        ("GET", "/health".to_owned()),
        ("POST", "/tenants".to_owned()),
        ("DELETE", "/tenants/{tenant}".to_owned()),
        ("POST", "/tenants/{tenant}/token".to_owned()),
        ("GET", "/tenants/{tenant}/metrics".to_owned()),
        ("POST", "/tenants/{tenant}/workflows".to_owned()),
        ("GET", "/tenants/{tenant}/executions".to_owned()),
        ("GET", execution.to_owned()),
        ("GET", format!("{execution}/explanation")),
        ("GET", format!("{execution}/events")),
        ("POST", format!("{execution}/cancel")),
        ("POST", format!("{execution}/pause")),
        ("POST", format!("{execution}/resume")),
        ("POST", format!("{execution}/retry")),
    ];
    let expected: BTreeSet<_> =
        expected.into_iter().map(|(method, path)| (method.to_owned(), path)).collect();
    assert_eq!(world.client.document.operations(), expected);
    // On each of its paths, the methods that it names are there, and no others.
    let paths: BTreeSet<_> = expected.iter().map(|(_, path)| path).collect();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let is_there = expected.contains(&(method.to_string(), path.clone()));
            let asked = path.replace("{tenant}", "acme").replace("{execution_id}", "7");
            let answer = world.client.request(method.clone(), &asked).send().await;
            assert_eq!(answer.status != 405, is_there, "{method} {path}: {}", answer.status);
            assert_ne!(answer.status, 404, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_page_loads_nothing_from_elsewhere_and_explains_each_problem() {
    let world = World::new().await;
    let page = world.client.get("/docs").unchecked().await;
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let text = page.text();
    assert!(!text.contains("http://") && !text.contains("https://") && !text.contains("src="));
    let problem = world.client.get("/nothing").send().await.json();
    let (_, anchor) = problem["type"].as_str().unwrap().split_once('#').unwrap();
    assert!(text.contains(&format!("<tr id=\"{anchor}\"><td>404")), "{anchor}");
}

#[tokio::test]
async fn a_service_that_is_well_says_so() {
    let world = World::new().await;
    assert_eq!(world.client.get("/health").send().await.expect(200)["status"], "ok");
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request_or_a_new_one() {
    let world = World::new().await;
    let ask = |path: &str, id: &str| world.client.get(path).header("x-request-id", id).unchecked();
    for path in ["/health", "/nothing", "/tenants/acme/executions"] {
        assert_eq!(ask(path, "trace-42").await.header("x-request-id"), Some("trace-42"));
    }
    let mut made = BTreeSet::new();
    for refused in ["", "two words", &"x".repeat(129)] {
        let answer = ask("/health", refused).await;
        let id = answer.header("x-request-id").unwrap().to_owned();
        assert!(id != refused && id.len() == 16, "{id}");
        made.insert(id);
    }
    assert_eq!(made.len(), 3);
}
