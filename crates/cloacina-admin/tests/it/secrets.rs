//! No password reaches the server, nor its log.

use cloacina_admin::AdminError;
use cloacina_testing::postgres::{Server, Stop};

use crate::support::{Place, connect, run};

/// A server that logs all that it can.
fn talkative() -> &'static Server {
    Box::leak(Box::new(Server::start().unwrap()))
}

#[tokio::test]
async fn no_log_holds_a_password_whatever_is_logged_and_whatever_fails() {
    let server = talkative();
    let place = Place::prepared(server).await;
    for setting in [
        "log_statement = 'all'",
        "log_min_duration_statement = 0",
        "log_min_messages = 'debug2'",
        "log_error_verbosity = 'verbose'",
        "log_parameter_max_length = -1",
        "log_connections = on",
    ] {
        run(&mut connect(server.url()).await, &format!("ALTER SYSTEM SET {setting}")).await;
    }
    server.restart(Stop::Fast).unwrap();
    let admin = place.admin();
    let generated = place.tenant("a").await;
    let chosen =
        admin.create_tenant(place.config_with("b", "chosen-hunter2-secret")).await.unwrap();
    connect(&chosen.connection_string).await;
    let rotated = admin.rotate_password(&generated.schema_name, &generated.username).await.unwrap();
    // Errors are logged with their statements.
    let mut superuser = place.superuser().await;
    let role = place.config("c").username;
    run(&mut superuser, &format!("CREATE ROLE {role}")).await;
    let failed = admin.create_tenant(place.config_with("c", "failed-hunter2-secret")).await;
    assert!(matches!(failed, Err(AdminError::NotOurs { .. })), "{failed:?}");
    run(
        &mut superuser,
        &format!("REVOKE CREATE ON DATABASE {} FROM {}", place.database, place.admin_role),
    )
    .await;
    let failed = admin.create_tenant(place.config_with("d", "failed-hunter2-secret")).await;
    assert!(matches!(failed, Err(AdminError::MissingRights { .. })), "{failed:?}");
    run(&mut superuser, &format!("ALTER ROLE {} NOCREATEROLE", place.admin_role)).await;
    let failed =
        admin.set_password(&chosen.schema_name, &chosen.username, "failed-hunter2-secret").await;
    assert!(matches!(failed, Err(AdminError::Refused { .. })), "{failed:?}");

    let log = server.log().unwrap();
    assert!(log.contains("PASSWORD 'SCRAM-SHA-256$4096:"), "the log holds the statements");
    for secret in
        [&generated.password, &rotated.password, "chosen-hunter2", "failed-hunter2", "the admin's"]
    {
        assert!(!log.contains(secret), "the log holds `{secret}`");
    }
}
