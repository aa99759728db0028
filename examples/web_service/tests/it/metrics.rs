//! What Prometheus reads.

use crate::client::Client;
use crate::process::Process;
use crate::text;

#[tokio::test]
async fn prometheus_reads_what_all_tenants_do_where_no_client_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::start(folder.path(), &["--metrics", "127.0.0.1:0"]).await;
    let url = process.says("metrics on http://");
    let scraper = Client::undescribed(url.strip_suffix("/metrics").unwrap().parse().unwrap());
    for name in ["acme", "globex"] {
        process.tenant(name).await.run("word_count", &text()).await;
    }
    let answer = scraper.get("/metrics").unchecked().await;
    assert_eq!(answer.status, 200);
    let format = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(answer.header("content-type"), Some(format));
    let told = answer.text();
    for line in [
        "# TYPE cloacina_executions_total counter",
        "cloacina_executions_total{outcome=\"completed\"} 2",
        "cloacina_executions_total{outcome=\"failed\"} 0",
        "cloacina_tasks_total{outcome=\"completed\"} 8",
        "# TYPE cloacina_task_run_seconds histogram",
        "cloacina_task_run_seconds_bucket{outcome=\"completed\",le=\"+Inf\"} 8",
        "cloacina_task_queue_seconds_count 8",
        "cloacina_tasks_running 0",
    ] {
        assert!(told.lines().any(|one| one == line), "{line}: {told}");
    }
    assert!(!told.contains("acme") && !told.contains("word"), "names nobody: {told}");
    assert_eq!(scraper.get("/").unchecked().await.status, 404, "there is nothing else");
    process.client.get("/metrics").send().await.expect_problem(404, "unknown-route");
}
