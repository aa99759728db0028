//! The same service on PostgreSQL.

use cloacina_core::ExecutorConfig;
use cloacina_postgres::PostgresTenants;
use cloacina_web_service::Limits;

use crate::{World, text};

#[tokio::test]
async fn the_service_runs_on_a_database_of_postgresql() {
    let store = PostgresTenants::new(cloacina_testing::postgres::server().url());
    let folder = tempfile::tempdir().unwrap();
    let world = World::on(store, folder, ExecutorConfig::default(), Limits::default()).await;
    world.client.get("/health").send().await.expect(200);
    let (acme, globex) = (world.tenant("web_acme").await, world.tenant("web_globex").await);
    let ended = acme.run("word_count", &text()).await;
    assert_eq!(ended["status"], "completed");
    let id = ended["execution_id"].as_str().unwrap();
    assert_eq!(acme.list("status=completed").await["executions"][0]["execution_id"], id);
    let answer = globex.client.get(&globex.path(&format!("executions/{id}"))).send().await;
    answer.expect_problem(404, "unknown-execution");
    for tenant in ["web_acme", "web_globex"] {
        world.operator.delete(&format!("/tenants/{tenant}")).send().await.expect(204);
    }
    world.stop().await;
}
