//! The PostgreSQL back end of Cloacina: one schema of a database holds one tenant.
//!
//! ```no_run
//! use cloacina_postgres::UnifiedExecutor;
//!
//! # async fn open() -> Result<(), cloacina_core::ExecutorError> {
//! let url = "postgresql://app:secret@db.example.com/app";
//! let acme = UnifiedExecutor::with_schema(url, "acme").await?;
//! # Ok(())
//! # }
//! ```
//!
//! The schema is created if it is missing and the role may create it, and brought up to date. Any number of processes may
//! work on one schema. Every statement names the schema, so none depends on `search_path`; other settings of a session are
//! relied upon only where no pooler shares it. `UnifiedExecutor::new` uses the schema `public`, for programs with one tenant whose
//! database holds nothing else.
//!
//! Each handle opens up to `db_pool_size` connections and two more: one for its signs of life, and one on which it hears from
//! the others and which proves to them that its workers live.

#[doc(hidden)]
pub mod admin;
mod backend;
mod begin;
mod claim;
mod clock;
mod commit;
mod connect;
mod connections;
mod control;
mod error;
mod heard;
mod json;
mod liveness;
mod migrate;
mod open;
mod ordinary;
mod pace;
#[cfg(test)]
mod plans;
mod pools;
mod queries;
mod read;
mod rows;
mod schema;
mod sessions;
#[cfg(test)]
mod statements;
mod tenants;
mod url;
mod wake;
mod writes;

pub use backend::PostgresBackend;
pub use connect::PostgresOptions;
pub use tenants::PostgresTenants;

/// Runs workflows on one schema of a PostgreSQL database. See [`cloacina_core::UnifiedExecutor`].
pub type UnifiedExecutor = cloacina_core::UnifiedExecutor<PostgresBackend>;

/// Runs the workflows of many tenants in one process, each in a schema of one PostgreSQL database. See
/// [`cloacina_core::TenantManager`].
pub type TenantManager = cloacina_core::TenantManager<PostgresTenants>;
