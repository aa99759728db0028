//! A server for those who have none.

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

/// Returns the address of the database, and the server if one had to be started; that stops when it is dropped.
///
/// # Errors
///
/// A server has to be started, and none could be; the error says how to get one.
#[cfg(unix)]
pub async fn server(
    database: Option<&str>,
) -> anyhow::Result<(String, Option<cloacina_testing::postgres::Server>)> {
    if let Some(url) = database {
        return Ok((url.to_owned(), None));
    }
    println!("starting a PostgreSQL server to be thrown away");
    // It takes a while, more so if the package has to be installed first.
    let server = tokio::task::spawn_blocking(cloacina_testing::postgres::Server::start).await??;
    Ok((server.url().to_owned(), Some(server)))
}

/// Returns the address of the database.
///
/// # Errors
///
/// It is missing.
#[cfg(not(unix))]
pub async fn server(database: Option<&str>) -> anyhow::Result<(String, Option<()>)> {
    let url = anyhow::Context::context(
        database,
        "no server can be started on this system; give --database",
    )?;
    Ok((url.to_owned(), None))
}
