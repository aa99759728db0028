//! Passwords: whatever is in them they let in, and nothing shows them.

use cloacina_core::{BackendError, Connect, ConnectOptions, TenantManager};
use cloacina_postgres::{PostgresBackend, PostgresOptions, PostgresTenants, UnifiedExecutor};
use cloacina_testing::postgres::{Server, server};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};

/// A password, and how it is written in an address.
const PASSWORDS: &[(&str, &str)] = &[
    ("p@:/?#[]%&=+ x", "p%40%3A%2F%3F%23%5B%5D%25%26%3D%2B%20x"),
    ("%41", "%2541"),
    ("\u{fc}", "\u{fc}"),
    ("it's \"quoted\" \\ $1", "it's%20%22quoted%22%20%5C%20$1"),
];

#[tokio::test]
async fn every_password_lets_in_and_no_wrong_one_is_shown() {
    // One of its own: it asks for passwords, whatever the server of the other tests does.
    let server = Server::start().unwrap();
    let place = server.url().rsplit('@').next().unwrap();
    let admin = server.url().parse::<PgConnectOptions>().unwrap();
    let mut admin = admin.disable_statement_logging().connect().await.unwrap();
    for (at, (password, written)) in PASSWORDS.iter().enumerate() {
        let (role, quoted) = (format!("role_{at}"), password.replace('\'', "''"));
        let sql = format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{quoted}'; CREATE SCHEMA {role} AUTHORIZATION {role}"
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
        let options = |password: &str| {
            let options =
                PostgresOptions::from_url(&format!("postgresql://{role}:{password}@{place}"));
            options.unwrap().schema(&role).unwrap()
        };
        let backend = PostgresBackend::open(options(written)).await;
        cloacina_core::Backend::close(&backend.unwrap_or_else(|e| panic!("{password}: {e}"))).await;
        let wrong = options("hunter2");
        assert!(!format!("{wrong:?}").contains("hunter2"), "{wrong:?}");
        let error = PostgresBackend::open(wrong).await.unwrap_err();
        assert!(matches!(error, BackendError::Refused { .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }
}

/// Such a password can be set, and PostgreSQL's own programs take it. The driver does not, and names the character.
#[tokio::test]
async fn a_password_that_the_driver_cannot_prepare_is_not_shown_either() {
    let place = server().url().rsplit('@').next().unwrap();
    let url = format!("postgresql://postgres:hunter2%F0%9F%A6%80@{place}");
    let error = PostgresBackend::connect(ConnectOptions::new(url)).await.unwrap_err();
    assert!(matches!(error, BackendError::Config { .. }), "{error:?}");
    let text = format!("{error} {error:?}");
    assert!(text.contains("a character that SCRAM does not take"), "{text}");
    assert!(!text.contains('\u{1f980}') && !text.contains("hunter2"), "{text}");
}

/// Nobody listens at these addresses.
#[tokio::test]
async fn no_handle_and_no_builder_shows_an_address() {
    let url = "postgresql://u:hunter2@127.0.0.1:1/none";
    let builder = UnifiedExecutor::builder().database_url(url);
    let tenants = PostgresTenants::new(url);
    let manager = TenantManager::builder(tenants.clone())
        .executor(UnifiedExecutor::builder().database_url(url).workflows([]));
    let mut texts = vec![
        format!("{builder:#?}"),
        format!("{manager:#?}"),
        format!("{tenants:?}"),
        format!("{:?}", manager.build().unwrap()),
        format!("{:?}", ConnectOptions::new(url)),
        format!("{:?}", PostgresOptions::from_url(url).unwrap()),
    ];
    let error = PostgresBackend::connect(ConnectOptions::new(url)).await.unwrap_err();
    texts.push(format!("{error} {error:?}"));
    let error = builder.build().await.unwrap_err();
    texts.push(format!("{error} {error:?}"));
    for text in texts {
        assert!(!text.contains("hunter2"), "{text}");
    }
}
