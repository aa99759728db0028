//! Many tenants in one process: where they are kept, and who keeps them going.
//!
//! A [`TenantStore`] holds tenants, each walled off from the others. A [`TenantManager`] starts an executor for a tenant that
//! has work or is asked for, and stops it once nothing is to be done: so a tenant at rest costs no query, no connection and next
//! to no memory. [`caretaker`] is what finds tenants with work, [`due`] remembers when work falls due in a tenant at rest.

mod builder;
mod caretaker;
mod due;
mod entry;
mod error;
mod manager;
mod metrics;
mod rest;
mod roster;
mod store;

pub use builder::TenantManagerBuilder;
pub use error::TenantError;
pub use manager::TenantManager;
pub use metrics::TenantMetrics;
pub use store::{Changes, Creation, OpenTenants, Removal, TenantStore, TenantWork};
