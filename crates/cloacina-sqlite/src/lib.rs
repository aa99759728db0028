//! The SQLite back end of Cloacina: one file holds one tenant.
//!
//! ```no_run
//! use cloacina_sqlite::{SqliteBackend, SqliteOptions};
//!
//! # async fn open() -> Result<(), cloacina_core::BackendError> {
//! let backend = SqliteBackend::open(SqliteOptions::new("app.db")).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The file is created on demand, readable by its owner only, and kept in WAL mode with `synchronous=FULL`: what was
//! acknowledged survives a loss of power. Several processes of one host may share it. It must lie on a local file
//! system. Beside it lie SQLite's `-wal` and `-shm`, and one small `.worker-<id>` file for each running worker, whose
//! lock proves to the others that the worker lives. Never copy, move or delete the file alone while it is in use.
//!
//! [`SqliteTenants`] keeps many tenants, as files of one folder.

mod backend;
mod claim;
mod clock;
mod commit;
mod connect;
mod connections;
mod control;
mod error;
mod json;
mod liveness;
mod locks;
mod mark;
mod migrate;
mod open;
mod queries;
mod read;
mod rows;
mod strain;
mod tenants;
mod url;
mod values;
mod wake;
mod writes;

pub use backend::SqliteBackend;
pub use connect::{SqliteOptions, Synchronous};
pub use tenants::SqliteTenants;

/// Runs workflows on one SQLite file. See [`cloacina_core::UnifiedExecutor`].
pub type UnifiedExecutor = cloacina_core::UnifiedExecutor<SqliteBackend>;

/// Runs the workflows of many tenants in one process, each in a SQLite file of one folder. See
/// [`cloacina_core::TenantManager`].
pub type SqliteTenantManager = cloacina_core::TenantManager<SqliteTenants>;
