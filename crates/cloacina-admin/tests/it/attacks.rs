//! Attacks of one tenant on another, with its own login, while the other works.

use std::sync::LazyLock;

use cloacina_admin::{DatabaseAdmin, RoleSettings, TenantCredentials};
use cloacina_core::{Context, PipelineStatus, TaskError, task, workflow};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::Server;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row as _};

use crate::attack_table::{ATTEMPTS, Outcome};
use crate::support::{Block, Place, connect, login_refusal, number, open, run, try_connect, work};

/// Only found where it belongs.
const SECRET: &str = "the secret of tenant a";

/// A server on which nothing is left open, for all tests of attacks.
fn server() -> &'static Server {
    static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start().unwrap());
    &SERVER
}

/// Two tenants; the first one works and keeps a secret.
struct Stage {
    place: Place,
    admin: DatabaseAdmin,
    a: TenantCredentials,
    b: TenantCredentials,
    executor: UnifiedExecutor,
}

impl Stage {
    async fn set() -> Self {
        let place = Place::prepared(server()).await;
        let admin = place.admin().role_settings(RoleSettings::default().connection_limit(30));
        let a = admin.create_tenant(place.config("a")).await.unwrap();
        let b = admin.create_tenant(place.config("b")).await.unwrap();
        let executor = open(&a).await;
        let mut input = crate::support::input(21);
        input.insert("secret", json!(SECRET)).unwrap();
        let result = executor.execute("arithmetic", input).await.unwrap();
        assert_eq!(result.status, PipelineStatus::Completed);
        Self { place, admin, a, b, executor }
    }

    fn named(&self, attempt: &str) -> String {
        attempt
            .replace("{a}", &self.a.username)
            .replace("{b}", &self.b.username)
            .replace("{admin}", &self.place.admin_role)
            .replace("{group}", &self.place.group)
            .replace("{database}", &self.place.database)
    }

    /// The first tenant is as it was, and works.
    async fn is_unharmed(&self) {
        work(&self.executor).await;
        let executions = self.executor.list_executions().await.unwrap();
        assert!(executions.iter().all(|one| one.status == PipelineStatus::Completed));
        let mut session = connect(&self.a.connection_string).await;
        let sql = format!("SELECT count(*) FROM tenant_a.executions WHERE input LIKE '%{SECRET}%'");
        assert_eq!(number(&mut session, &sql).await, 1);
    }
}

/// What the server says to an attempt: a SQLSTATE, or the number in the last row.
async fn attempt(session: &mut PgConnection, sql: &str) -> Result<Option<i64>, String> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *session).await;
    let outcome = match done {
        Ok(rows) => Ok(rows.last().map(|row| {
            // Some functions return nothing.
            row.try_get(0).unwrap_or(1)
        })),
        Err(error) => match error.as_database_error() {
            Some(told) => Err(told.code().unwrap().into_owned()),
            None => panic!("{sql}: {error}"),
        },
    };
    let _ = sqlx::raw_sql("ROLLBACK").execute(session).await;
    outcome
}

/// Tells whether the outcome is the one of the table.
fn is_expected(outcome: &Result<Option<i64>, String>, expected: Outcome) -> bool {
    match expected {
        Outcome::Refused(state) => outcome.as_ref().is_err_and(|code| code == state),
        Outcome::RefusedAs(one, other) => {
            outcome.as_ref().is_err_and(|code| code == one || code == other)
        }
        Outcome::RefusedSince16(state, number, _) => match outcome {
            Ok(returned) => *returned == Some(number),
            Err(code) => code == state,
        },
        Outcome::Harmless(number, _) => *outcome == Ok(Some(number)),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_with_a_tenants_login_is_refused_or_harmless() {
    let stage = Stage::set().await;
    let mut surprises = Vec::new();
    for (template, expected) in ATTEMPTS {
        // A session of its own: the one before may have changed its settings.
        let mut session = connect(&stage.b.connection_string).await;
        let outcome = attempt(&mut session, &stage.named(template)).await;
        if !is_expected(&outcome, *expected) {
            surprises.push(format!("{template}: {outcome:?}, expected {expected:?}"));
        }
    }
    assert!(surprises.is_empty(), "{}", surprises.join("\n"));
    stage.is_unharmed().await;
    let findings = stage.admin.audit().await.unwrap();
    let about_b = findings.iter().filter(|one| one.subject.contains(&stage.b.username));
    // The large object.
    assert_eq!(about_b.count(), 1, "{findings:?}");
    stage.admin.remove_tenant(&stage.b.schema_name, &stage.b.username).await.unwrap();
}

#[tokio::test]
async fn the_document_lists_what_is_tried_and_carried_out() {
    let document = include_str!("../../../../docs/security.md");
    for (_, outcome) in ATTEMPTS {
        if let Outcome::Harmless(_, reason) | Outcome::RefusedSince16(_, _, reason) = outcome {
            assert!(document.contains(reason), "docs/security.md does not say: {reason}");
        }
    }
}

/// A body that attacks with whatever address it was given.
#[task]
async fn attack(context: &mut Context) -> Result<(), TaskError> {
    let url: String = context.get_as("url")?;
    let attempts: Vec<String> = context.get_as("attempts")?;
    let mut outcomes = Vec::new();
    for sql in attempts {
        let mut session = connect(&url).await;
        outcomes.push(json!(attempt(&mut session, &sql).await.err()));
    }
    context.insert("outcomes", json!(outcomes))?;
    Ok(())
}

workflow! { name: "hostile", description: "Attacks its neighbours", tasks: [attack] }

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_task_gets_no_further_than_its_tenants_login() {
    let stage = Stage::set().await;
    let refused: Vec<_> = ATTEMPTS
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Refused(_) | Outcome::RefusedAs(..)))
        .collect();
    let attempts: Vec<_> = refused.iter().map(|(template, _)| stage.named(template)).collect();
    let input = json!({ "url": stage.b.connection_string, "attempts": attempts });
    let hostile = open(&stage.b).await;
    let input = Context::from_value(input).unwrap();
    let result = hostile.execute("hostile", input).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed, "{:?}", result.error_message);
    let outcomes: Vec<Option<String>> = result.final_context.get_as("outcomes").unwrap();
    assert_eq!(outcomes.len(), refused.len());
    for ((template, expected), outcome) in refused.into_iter().zip(outcomes) {
        let outcome = outcome.map_or(Ok(None), Err);
        assert!(is_expected(&outcome, *expected), "{template}: {outcome:?}");
    }
    stage.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_news_and_guessed_locks_do_not_stop_a_neighbour() {
    let stage = Stage::set().await;
    let mut session = connect(&stage.b.connection_string).await;
    // Every key below a thousand, as one number and as two, and a flood of news.
    let locks = "SELECT count(pg_advisory_lock(k)) + count(pg_advisory_lock(k, k)) \
        FROM generate_series(0, 999) AS k(k)";
    run(&mut session, &locks.replace("(k)) +", "(k::bigint)) +")).await;
    run(
        &mut session,
        "SELECT count(pg_notify('cloacina_tenant_a', k::text)) FROM generate_series(1, 1000) AS k",
    )
    .await;
    let second = open(&stage.a).await;
    work(&second).await;
    second.shutdown().await.unwrap();
    stage.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_takes_all_its_connections_leaves_the_others_theirs() {
    let stage = Stage::set().await;
    let mut sessions = Vec::new();
    let code = loop {
        match try_connect(&stage.b.connection_string).await {
            Ok(session) => sessions.push(session),
            Err(error) => break error.as_database_error().unwrap().code().unwrap().into_owned(),
        }
    };
    assert_eq!((sessions.len(), &*code), (30, "53300"));
    stage.is_unharmed().await;
    open(&stage.a).await.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_tenant_gets_into_no_other_database() {
    let stage = Stage::set().await;
    stage.place.dba(Block::OtherDatabases).await;
    let other = Place::prepared(server()).await;
    for database in ["postgres", "template1", &other.database] {
        let (url, _) = stage.b.connection_string.rsplit_once('/').unwrap();
        assert_eq!(login_refusal(&format!("{url}/{database}")).await, "42501");
    }
}

#[tokio::test]
async fn a_tenant_can_lock_out_nobody_but_itself() {
    let stage = Stage::set().await;
    let mut session = connect(&stage.b.connection_string).await;
    run(&mut session, &stage.named("ALTER ROLE {b} PASSWORD 'its own'")).await;
    assert_eq!(login_refusal(&stage.b.connection_string).await, "28P01");
    let (schema, role) = (&stage.b.schema_name, &stage.b.username);
    let rotated = stage.admin.rotate_password(schema, role).await.unwrap();
    connect(&rotated.connection_string).await;
    stage.is_unharmed().await;
}
