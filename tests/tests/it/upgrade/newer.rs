//! A database that a newer program has migrated: it is refused, whoever opens it, and nothing is written.

use cloacina_core::{ExecutorError, TenantManager, UnifiedExecutor, UnifiedExecutorBuilder};
use cloacina_postgres::{PostgresOptions, PostgresTenants};
use cloacina_sqlite::SqliteTenants;
use cloacina_testing::postgres::Server;
use cloacina_tests::upgrade::{self, Act, Ran};

use super::place::{File, Place, Schema};

/// A version that no program knows yet.
async fn newer<P: Place>() -> (P, u32, u32) {
    let known = super::versions(P::KIND).into_iter().max().unwrap();
    let place = P::new(Some(known)).await;
    place.pretend(known + 1).await;
    (place, known, known + 1)
}

fn told(text: &str, known: u32, found: u32) {
    let versions = format!("has version {found}, this program knows versions up to {known}");
    assert!(text.contains(&versions), "{text}");
    assert!(text.contains("use a newer program") && text.contains("left untouched"), "{text}");
}

fn with_workflow<P: Place>(place: &P) -> UnifiedExecutorBuilder<P::Backend> {
    place.builder().workflows([upgrade::workflow(Act::Second, &Ran::default()).unwrap()])
}

async fn is_refused<P: Place>() -> P {
    let (place, known, found) = newer::<P>().await;
    let columns = place.columns().await;
    let before = (place.rows(&columns).await, place.structure().await);
    let builders = [with_workflow(&place), with_workflow(&place).client_only()];
    for builder in builders {
        let built: Result<UnifiedExecutor<P::Backend>, _> = builder.build().await;
        match built {
            Err(error @ ExecutorError::Backend(_)) => {
                told(&error.to_string(), known, found);
                assert!(!error.is_transient(), "{error:?}");
            }
            other => panic!("{other:?}"),
        }
    }
    told(&place.open().await.unwrap_err().to_string(), known, found);
    assert_eq!((place.rows(&columns).await, place.structure().await), before);
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_file_is_refused_and_left_untouched() {
    let place = is_refused::<File>().await;
    let before = std::fs::read(place.path()).unwrap();
    let tenants = SqliteTenants::new(place.path().parent().unwrap()).unwrap();
    let manager = TenantManager::builder(tenants).build().unwrap();
    let refusal = manager.get_executor("app").await.unwrap_err().to_string();
    assert!(refusal.contains("use a newer program"), "{refusal}");
    manager.create_tenant("app").await.unwrap_err();
    manager.shutdown().await.unwrap();
    assert!(std::fs::read(place.path()).unwrap() == before, "the file changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_is_refused_and_left_untouched() {
    is_refused::<Schema>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_schema_among_the_tenants_is_refused_and_left_untouched() {
    // A manager looks after all tenants of a database.
    let server = Server::start().unwrap();
    let known = super::versions(Schema::KIND).into_iter().max().unwrap();
    let place = Schema::on(server.url(), Some(known)).await;
    place.pretend(known + 1).await;
    let columns = place.columns().await;
    let before = (place.rows(&columns).await, place.structure().await);
    let options = PostgresOptions::from_url(server.url()).unwrap().pool_size(5);
    let tenants = PostgresTenants::with_options(options);
    let manager = TenantManager::builder(tenants).build().unwrap();
    let refusal = manager.get_executor(&place.name).await.unwrap_err().to_string();
    told(&refusal, known, known + 1);
    manager.create_tenant(&place.name).await.unwrap_err();
    manager.shutdown().await.unwrap();
    assert_eq!((place.rows(&columns).await, place.structure().await), before);
}
