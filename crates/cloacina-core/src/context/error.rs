//! What is wrong with a context.

/// What is wrong with a context or with the use of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContextError {
    /// `insert` met a key that has a value; use `update` or `set`.
    #[error("key `{0}` exists already")]
    KeyExists(String),
    /// The key has no value.
    #[error("key `{0}` does not exist")]
    KeyMissing(String),
    /// The value does not become JSON.
    #[error("the value for key `{key}` cannot be written as JSON")]
    Serialize {
        /// The key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The value is not of the type that was asked for.
    #[error("the value of key `{key}` is not of the type that was asked for")]
    Deserialize {
        /// The key.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A context is made from an object only.
    #[error("a context is a JSON object, this is {0}")]
    NotAnObject(&'static str),
    /// The context is larger than the configured limit.
    #[error("the context has {size} bytes as JSON, the limit is {limit}")]
    TooLarge {
        /// Its size as JSON, in bytes.
        size: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// A value is nested too deep to be read back.
    #[error("the value of key `{key}` is nested deeper than {limit} levels")]
    TooDeep {
        /// The key.
        key: String,
        /// [`MAX_DEPTH`](crate::MAX_DEPTH).
        limit: usize,
    },
}
