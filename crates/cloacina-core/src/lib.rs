//! Durable workflows that a Rust program embeds.
//!
//! A workflow is a DAG of tasks; every result is committed before anything that depends on it starts; a crash loses
//! nothing that was acknowledged. Add this crate and one back end, such as `cloacina-sqlite`.

pub mod backend;
mod id;
mod status;

pub use backend::{
    Backend, BackendError, Connect, ConnectOptions, ConnectSchema, ExecutionQuery,
};
pub use id::{ExecutionId, ParseExecutionIdError, TaskId, WorkerId};
pub use status::{PipelineStatus, SkipReason, TaskState};
