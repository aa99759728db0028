//! What the examples share. Start with the examples themselves, in `examples/examples/`.

mod database;
pub mod fleet;
pub mod tenancy;
pub mod wf;

pub use database::{Database, DatabaseError};
