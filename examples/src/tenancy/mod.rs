//! What `multi_tenant` needs around its show: the place where tenants live, a process that crashes, and what was checked.

mod checks;
mod child;
mod office;
mod place;

pub use checks::{Checks, table, until};
pub use child::{start_and_crash, told_where};
pub use office::{Crash, Office};
pub use place::{Place, Wall};
