//! Parameters of the batch statements: rows as JSON arrays, ids as hexadecimal text.

use cloacina_core::{BackendError, ExecutionId, WorkerId};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::error::Context as _;

/// An id as the hexadecimal text that `unhex` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Hex(Uuid);

impl From<ExecutionId> for Hex {
    fn from(id: ExecutionId) -> Self {
        Self(*id.as_uuid())
    }
}

impl From<WorkerId> for Hex {
    fn from(id: WorkerId) -> Self {
        Self(*id.as_uuid())
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        serializer.serialize_str(self.0.simple().encode_lower(&mut buffer))
    }
}

/// Writes rows as one JSON array.
pub(crate) fn rows<T: Serialize>(rows: &[T]) -> Result<String, BackendError> {
    serde_json::to_string(rows).during("encode the rows of a batch")
}

/// Writes ids as one JSON array.
pub(crate) fn ids(ids: impl IntoIterator<Item = ExecutionId>) -> Result<String, BackendError> {
    let ids: Vec<Hex> = ids.into_iter().map(Hex::from).collect();
    rows(&ids)
}
