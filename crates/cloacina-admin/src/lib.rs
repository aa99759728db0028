//! Tenants of Cloacina that PostgreSQL itself keeps apart: each has a schema and a login of its own.
//!
//! ```no_run
//! use cloacina_admin::{Database, DatabaseAdmin, TenantConfig};
//! use cloacina_postgres::UnifiedExecutor;
//!
//! # async fn create() -> Result<(), Box<dyn std::error::Error>> {
//! let database = Database::new("postgresql://admin:admin_pass@localhost/cloacina", "cloacina", 10);
//! let admin = DatabaseAdmin::new(database);
//! let tenant = admin
//!     .create_tenant(TenantConfig {
//!         schema_name: "tenant_secure".to_string(),
//!         username: "secure_user".to_string(),
//!         password: "".to_string(), // empty: a password is generated
//!     })
//!     .await?;
//!
//! // In the tenant's process, which knows nothing but its own credentials:
//! let executor =
//!     UnifiedExecutor::with_schema(&tenant.connection_string, &tenant.schema_name).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The admin owns the schemas and their tables. A tenant's role may read and write its tables, and owns nothing: it can neither
//! change nor grant them, nor plant in them what would run with the admin's rights. So tenants do not migrate themselves:
//! [`DatabaseAdmin::migrate_tenants`] does, when a new version is deployed.
//!
//! The admin's login needs CREATEROLE, and CREATE and CONNECT on the database. It needs no CREATEDB. Up to PostgreSQL 15 CREATEROLE is
//! next to the powers of a superuser: keep its address out of processes that run tasks. `docs/security.md` says what is
//! isolated and what is not, and what a DBA prepares.
//!
//! A password never reaches the server: what it gets is a SCRAM-SHA-256 verifier that was made here.

mod address;
mod admin;
mod audit;
mod create;
mod database;
mod error;
mod migrate;
mod names;
mod password;
mod prepare;
mod registry;
mod remove;
mod rights;
mod rotate;
mod scram;
mod session;
mod settings;
mod sql;
mod tenant;
mod tenants;

pub use admin::DatabaseAdmin;
pub use audit::{Finding, FindingKind};
pub use cloacina_core::Removal;
pub use database::Database;
pub use error::AdminError;
pub use settings::RoleSettings;
pub use tenant::{Tenant, TenantConfig, TenantCredentials, TenantMigration, TenantState};
pub use tenants::SecureTenants;
