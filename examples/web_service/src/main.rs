//! The program: reads its settings, opens the database, serves until it is told to stop.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to who starts it")]

use std::error::Error;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use cloacina_core::{ExecutorConfig, TenantStore};
use cloacina_postgres::PostgresTenants;
use cloacina_sqlite::SqliteTenants;
use cloacina_web_service::{Limits, Metrics, Service, Token, Tokens};
use tokio::net::TcpListener;
use tracing_subscriber::EnvFilter;

/// Runs the workflows of many tenants behind HTTP. With no settings at all the tenants are files of SQLite.
///
/// Standard output tells the address, and the operator's token if none was given. Logs go to standard error; RUST_LOG filters them.
#[derive(Parser)]
#[command(name = "web_service")]
struct Args {
    /// Where to listen; port 0 takes one that is free.
    #[arg(long, env = "LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Where Prometheus finds `/metrics`, such as 127.0.0.1:9464; without it, nothing is counted. Whoever reaches it may read.
    #[arg(long, env = "METRICS_LISTEN", value_name = "ADDRESS")]
    metrics: Option<SocketAddr>,

    /// The folder for tokens, and for SQLite's files.
    #[arg(long, env = "DATA_FOLDER", default_value = "cloacina-data", value_name = "DIR")]
    data: PathBuf,

    /// A PostgreSQL database, `postgresql://user:password@host:port/database`; without it, the tenants are files of SQLite.
    ///
    /// Others can see a command line, so set the variable.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database: Option<String>,

    /// The operator's token, at least 32 characters; without it, each run makes one. Set the variable, as for the database.
    #[arg(long, env = "OPERATOR_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    operator_token: Option<String>,

    /// How long running tasks may take to finish when the service stops, in seconds.
    #[arg(long, env = "SHUTDOWN_GRACE", default_value_t = 10, value_name = "SECONDS")]
    shutdown_grace: u64,

    /// How log lines look.
    #[arg(long, env = "LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match args.log_format {
        LogFormat::Text => logs.init(),
        LogFormat::Json => logs.json().flatten_event(true).init(),
    }
    match Box::pin(run(args)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = error.to_string();
            let mut source = error.source();
            while let Some(error) = source {
                text = format!("{text}: {error}");
                source = error.source();
            }
            eprintln!("error: {text}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut args: Args) -> Result<(), Box<dyn Error>> {
    let operator = match args.operator_token.take() {
        Some(token) => Token::operator(token)?,
        None => {
            let token = Token::random()?;
            println!("operator token, for this run: {}", token.reveal());
            token
        }
    };
    let tokens = Tokens::open(&args.data, &operator)?;
    match args.database.take() {
        Some(url) => Box::pin(serve(PostgresTenants::new(&url), tokens, &args)).await,
        None => {
            let folder = args.data.join("tenants");
            Box::pin(serve(SqliteTenants::new(folder)?, tokens, &args)).await
        }
    }
}

async fn serve<S: TenantStore>(
    store: S,
    tokens: Tokens,
    args: &Args,
) -> Result<(), Box<dyn Error>> {
    let mut config = ExecutorConfig::default();
    config.shutdown_grace = Duration::from_secs(args.shutdown_grace);
    // Before anything runs: what cannot be served is not begun.
    let listener = TcpListener::bind(args.listen).await?;
    let metrics = match args.metrics {
        Some(address) => Some((TcpListener::bind(address).await?, Metrics::install()?)),
        None => None,
    };
    let service = Service::new(store, tokens, config, Limits::default())?;
    let stop = told_to_stop()?;
    println!("listening on http://{}", listener.local_addr()?);
    let served = service.serve(listener, stop);
    let Some((listener, metrics)) = metrics else { return Ok(served.await?) };
    println!("metrics on http://{}/metrics", listener.local_addr()?);
    tokio::select! {
        served = served => Ok(served?),
        served = metrics.serve(listener) => Ok(served?),
    }
}

/// Listens for SIGTERM and Ctrl-C from now on, and waits for one.
#[cfg(unix)]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
