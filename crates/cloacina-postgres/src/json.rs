//! Parameters of the batch statements: rows as JSON arrays, ids as arrays.

use cloacina_core::{BackendError, ExecutionId};
use serde::Serialize;
use uuid::Uuid;

use crate::error::Context as _;

/// Writes rows as one JSON array.
pub(crate) fn rows<T: Serialize>(rows: &[T]) -> Result<String, BackendError> {
    serde_json::to_string(rows).during("encode the rows of a batch")
}

/// Returns the ids as they are bound.
pub(crate) fn ids(ids: impl IntoIterator<Item = ExecutionId>) -> Vec<Uuid> {
    ids.into_iter().map(|id| *id.as_uuid()).collect()
}
