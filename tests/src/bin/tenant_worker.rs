//! Serves all tenants of a place until its input ends: `tenant_worker PLACE LOG`. PLACE is a folder, or an address of PostgreSQL.
//!
//! Meant to be killed.

use std::path::Path;

use cloacina_core::{TenantManager, TenantStore};
use cloacina_postgres::{PostgresOptions, PostgresTenants};
use cloacina_sqlite::SqliteTenants;
use cloacina_tests::tenancy;
use tokio::io::AsyncReadExt as _;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("expected PLACE LOG");
    let (place, log) = (next()?, next()?);
    let workflow = tenancy::workflow(&tenancy::open_log(Path::new(&log))?)?;
    if place.starts_with("postgresql:") {
        let options = PostgresOptions::from_url(&place)?.pool_size(6);
        serve(tenancy::manager(PostgresTenants::with_options(options), workflow)?).await
    } else {
        serve(tenancy::manager(SqliteTenants::new(&place)?, workflow)?).await
    }
}

async fn serve<S: TenantStore>(
    manager: TenantManager<S>,
) -> Result<(), Box<dyn std::error::Error>> {
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(manager.shutdown().await?)
}
