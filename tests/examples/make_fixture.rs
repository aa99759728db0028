//! Makes the fixture of the version that this program writes: a database as a process left it that was killed, as SQL.
//!
//! ```text
//! cargo run -p cloacina-tests --example make_fixture -- sqlite > tests/fixtures/sqlite/000N.sql
//! cargo run -p cloacina-tests --example make_fixture -- postgres /usr/lib/postgresql/15/bin/pg_dump > tests/fixtures/postgres/000N.sql
//! ```
//!
//! To be run, and its output committed, with the change that adds migration N. It is never made anew after a release: then it
//! would no longer be what that release has written.

use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use cloacina_core::{Connect, UnifiedExecutor, UnifiedExecutorBuilder};
use cloacina_postgres::PostgresBackend;
use cloacina_sqlite::SqliteBackend;
use cloacina_testing::postgres::Server;
use cloacina_tests::upgrade::{self, Act, Ran};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

/// What tells a time, and how it is set back by a year: whatever waits has fallen due then, wherever the tests run.
const TIMES: [(&str, &[&str]); 6] = [
    ("executions", &["created_at", "due_at", "started_at", "finished_at"]),
    ("tasks", &["started_at", "ended_at"]),
    ("attempts", &["started_at", "ended_at", "retry_at"]),
    ("events", &["at"]),
    ("workers", &["registered_at", "expires_at"]),
    ("workflows", &[]),
];

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// The schema of the fixture; tests put another name in its place.
const SCHEMA: &str = "the_fixture";

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["sqlite"] => sqlite().await,
        ["postgres", pg_dump] => postgres(pg_dump).await,
        ["act", url] if url.starts_with("sqlite:") => act(on_file(url)).await,
        ["act", url] => act(on_schema(url)).await,
        _ => Err("expected `sqlite`, or `postgres` and the path of pg_dump".into()),
    }
}

fn on_file(url: &str) -> UnifiedExecutorBuilder<SqliteBackend> {
    UnifiedExecutor::builder().database_url(url)
}

fn on_schema(url: &str) -> UnifiedExecutorBuilder<PostgresBackend> {
    UnifiedExecutor::builder().database_url(url).schema(SCHEMA)
}

fn with_workflow<B>(builder: UnifiedExecutorBuilder<B>) -> Outcome<UnifiedExecutorBuilder<B>>
where
    B: Connect,
{
    let workflow = upgrade::workflow(Act::First, &Ran::default())?;
    Ok(builder.lease_ttl(Duration::from_secs(3)).workflows([workflow]))
}

/// Plays the first act, says so, and waits for its death.
async fn act<B: Connect>(builder: UnifiedExecutorBuilder<B>) -> Outcome<()> {
    let worker = with_workflow(builder)?.build().await?;
    upgrade::play(&worker).await?;
    say("played");
    std::future::pending().await
}

/// Has the first act played, kills the process, and submits what nobody takes up.
async fn play<B: Connect>(url: &str, builder: UnifiedExecutorBuilder<B>) -> Outcome<()> {
    let mut child =
        Command::new(std::env::current_exe()?).args(["act", url]).stdout(Stdio::piped()).spawn()?;
    let line = child.stdout.take().and_then(|out| BufReader::new(out).lines().next());
    child.kill()?;
    child.wait()?;
    line.ok_or("the first act was not played")??;
    let client = with_workflow(builder)?.client_only().build().await?;
    upgrade::submit(&client, "pending").await?;
    Ok(client.shutdown().await?)
}

async fn sqlite() -> Outcome<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("app.db");
    let url = format!("sqlite://{}", path.display());
    play(&url, on_file(&url)).await?;
    let options = SqliteConnectOptions::new().filename(&path).disable_statement_logging();
    let mut connection = options.connect().await?;
    for (table, columns) in TIMES {
        for column in columns {
            let sql = format!("UPDATE {table} SET {column} = {column} - 31536000000000");
            texts(&mut connection, &sql).await?;
        }
    }
    for sql in texts(&mut connection, "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").await?
    {
        say(&format!("{sql};"));
    }
    let tables = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    for table in texts(&mut connection, tables).await? {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = texts(&mut connection, &columns).await?.join(", ");
        let quoted = format!("quote({})", columns.replace(", ", ") || ', ' || quote("));
        let rows = format!("SELECT {quoted} FROM {table}");
        for row in texts(&mut connection, &rows).await? {
            say(&format!("INSERT INTO {table} ({columns}) VALUES ({row});"));
        }
    }
    for pragma in ["application_id", "user_version"] {
        let sql = format!("SELECT CAST({pragma} AS TEXT) FROM pragma_{pragma}");
        for value in texts(&mut connection, &sql).await? {
            say(&format!("PRAGMA {pragma} = {value};"));
        }
    }
    Ok(())
}

/// Runs a query that returns one text a row.
async fn texts(connection: &mut SqliteConnection, sql: &str) -> Outcome<Vec<String>> {
    // The names in it are those of our own tables.
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

async fn postgres(pg_dump: &str) -> Outcome<()> {
    let server = Server::start()?;
    play(server.url(), on_schema(server.url())).await?;
    let options: PgConnectOptions = server.url().parse()?;
    let mut connection = options.disable_statement_logging().connect().await?;
    for (table, columns) in TIMES {
        for column in columns {
            let year = "interval '365 days'";
            let sql = format!("UPDATE {SCHEMA}.{table} SET {column} = {column} - {year}");
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
    }
    let dump = Command::new(pg_dump)
        .args(["--schema", SCHEMA, "--column-inserts", "--no-owner", "--no-privileges"])
        .arg(server.url())
        .output()?;
    if !dump.status.success() {
        return Err(String::from_utf8_lossy(&dump.stderr).into());
    }
    let is_of_use = |line: &&str| {
        let others = ["--", "\\", "SET ", "SELECT pg_catalog.set_config"];
        !line.is_empty() && !others.iter().any(|start| line.starts_with(start))
    };
    String::from_utf8(dump.stdout)?.lines().filter(is_of_use).for_each(say);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of the program")]
fn say(line: &str) {
    println!("{line}");
}
