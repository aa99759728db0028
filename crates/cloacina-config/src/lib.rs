//! Settings from the environment, with `.env`, and from files that serde reads, for any back end.
//!
//! | variable | what it sets | if it is missing |
//! | --- | --- | --- |
//! | `DATABASE_URL` | the address of the store, such as `postgresql://app@localhost/app` or `sqlite://app.db` | refused |
//! | `TENANT_ID` | whose store it is; on PostgreSQL also the schema | the tenant is called `default` |
//! | `DEFAULT_SCHEMA` | the schema of a program *without* `TENANT_ID`, on PostgreSQL | `public` |
//! | `MAX_CONCURRENT_TASKS` | how many task bodies run at once | 16 |
//! | `TASK_TIMEOUT_SECONDS` | how long an attempt may take, in seconds | 300 |
//! | `DB_POOL_SIZE` | how many connections may be open at once | 10 |
//!
//! ```no_run
//! use cloacina_config::{FromEnv as _, TenantConfig};
//! use cloacina_postgres::UnifiedExecutor;
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let config = TenantConfig::from_env()?;
//! let executor: UnifiedExecutor = config.create_executor().await?;
//! # Ok(())
//! # }
//! ```
//!
//! What the process's environment does not set is taken from the file `.env` in the working directory, or in the nearest folder
//! above it that has one. The process's own environment is never changed. In `.env`, put a value that holds `$`, `#` or
//! a blank into single quotes.
//!
//! No error and no `Debug` shows a password, and an address is serialised without it: see [`DatabaseUrl`].

mod address;
mod env;
mod error;
mod tenant;

pub use address::DatabaseUrl;
pub use env::FromEnv;
pub use error::EnvError;
pub use tenant::TenantConfig;
