//! Tokens keep the tenants apart.

use std::fs;

use cloacina_web_service::{Token, Tokens, TokensError};
use hyper::Method;
use serde_json::json;

use crate::{OPERATOR, World, text};

/// Everything that can be asked for in the name of a tenant.
fn paths(tenant: &str, id: &str) -> Vec<(Method, String)> {
    let of = |rest: &str| format!("/tenants/{tenant}/{rest}");
    let mut paths = vec![
        (Method::POST, of("workflows")),
        (Method::GET, of("executions")),
        (Method::GET, of("metrics")),
        (Method::GET, of(&format!("executions/{id}"))),
        (Method::GET, of(&format!("executions/{id}/explanation"))),
        (Method::GET, of(&format!("executions/{id}/events"))),
    ];
    for order in ["cancel", "pause", "resume", "retry"] {
        paths.push((Method::POST, of(&format!("executions/{id}/{order}"))));
    }
    paths
}

#[tokio::test]
async fn a_token_opens_its_own_tenant_only_and_does_not_tell_which_others_there_are() {
    let world = World::new().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let id = globex.start("word_count", &text()).await;
    let there = paths("globex", &id);
    let nowhere = paths("initech", &id);
    for ((method, there), (_, nowhere)) in there.into_iter().zip(nowhere) {
        let body = json!({"workflow_name": "word_count", "context": text()});
        let ask = |path: &str| acme.client.request(method.clone(), path).json(&body).send();
        let (real, made_up) = (ask(&there).await, ask(&nowhere).await);
        real.expect_problem(403, "forbidden");
        assert_eq!(real.body, made_up.body);
        assert_eq!(real.status, made_up.status);
    }
    // Not even its id opens an execution of another tenant.
    let answer = acme.client.get(&acme.path(&format!("executions/{id}"))).send().await;
    answer.expect_problem(404, "unknown-execution");
    let answer = acme.order(&id, "cancel").send().await;
    answer.expect_problem(404, "unknown-execution");
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_open() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let (name, secret) = acme.token.split_once('.').unwrap();
    let wrong = [
        String::new(),
        secret.to_owned(),
        format!("{name}."),
        format!("{name}.{}", &secret[1..]),
        format!("initech.{secret}"),
        format!("{}.{secret}", "a".repeat(100)),
    ];
    for token in wrong {
        for (method, path) in
            paths("acme", "7").into_iter().chain([(Method::POST, "/tenants".to_owned())])
        {
            let answer = world.client.with(&token).request(method, &path).send().await;
            answer.expect_problem(401, "unauthorized");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    for header in [None, Some(acme.token.clone()), Some(format!("Basic {}", acme.token))] {
        let mut request = world.client.get("/tenants/acme/executions");
        if let Some(header) = header {
            request = request.header("authorization", &header);
        }
        request.send().await.expect_problem(401, "unauthorized");
    }
}

#[tokio::test]
async fn the_operator_is_no_tenant_and_a_tenant_is_no_operator() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let answer = world.operator.get("/tenants/acme/executions").send().await;
    answer.expect_problem(403, "forbidden");
    for request in [
        acme.client.post("/tenants").json(&json!({"tenant": "globex"})),
        acme.client.post("/tenants/acme/token"),
        acme.client.delete("/tenants/acme"),
    ] {
        request.send().await.expect_problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_tenant_is_created_once_and_its_token_is_good_until_it_is_renewed() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let again = world.operator.post("/tenants").json(&json!({"tenant": "acme"})).send().await;
    again.expect_problem(409, "conflict");
    let renewed = world.operator.post("/tenants/acme/token").send().await.expect(200);
    let answer = acme.client.get("/tenants/acme/executions").send().await;
    answer.expect_problem(401, "unauthorized");
    let client = world.client.with(renewed["token"].as_str().unwrap());
    client.get("/tenants/acme/executions").send().await.expect(200);
}

#[tokio::test]
async fn a_removed_tenant_is_gone_with_its_token_and_its_work() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    acme.start("word_count", &text()).await;
    world.operator.delete("/tenants/acme").send().await.expect(204);
    let answer = acme.client.get("/tenants/acme/executions").send().await;
    answer.expect_problem(401, "unauthorized");
    assert!(!world.folder().join("tenants/acme.db").exists());
    world.operator.delete("/tenants/acme").send().await.expect_problem(404, "unknown-tenant");
    // Another of that name is another.
    let acme = world.tenant("acme").await;
    assert_eq!(acme.list("").await["executions"], json!([]));
}

#[tokio::test]
async fn tokens_are_kept_as_hashes_that_nobody_else_may_read() {
    let world = World::new().await;
    let acme = world.tenant("acme").await;
    let path = world.folder().join("tokens.json");
    let kept = fs::read_to_string(&path).unwrap();
    let (_, secret) = acme.token.split_once('.').unwrap();
    assert!(kept.contains("acme") && !kept.contains(secret) && !kept.contains(OPERATOR), "{kept}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_folder_of_tokens_has_one_process_and_a_damaged_file_is_named() {
    let world = World::new().await;
    let operator = Token::operator(OPERATOR).unwrap();
    let error = Tokens::open(world.folder(), &operator).unwrap_err();
    assert!(matches!(error, TokensError::InUse { .. }), "{error}");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tokens.json"), "[]").unwrap();
    let error = Tokens::open(folder.path(), &operator).unwrap_err();
    assert!(matches!(error, TokensError::Corrupt { .. }), "{error}");
}

#[test]
fn a_token_that_can_be_guessed_is_refused_and_none_shows_itself() {
    assert!(matches!(Token::operator("hunter2"), Err(TokensError::WeakOperator { length: 7 })));
    assert_eq!(format!("{:?}", Token::operator(OPERATOR).unwrap()), "Token(..)");
}
