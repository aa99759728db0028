//! Many tenants in one process: where they are kept, and who keeps them going.

mod error;
mod store;

pub use error::TenantError;
pub use store::{Changes, Creation, Removal, TenantStore, TenantWork};
