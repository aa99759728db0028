//! Why a task failed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Why a task failed, and what that means for its retries.
///
/// Whatever becomes a `Box<dyn Error + Send + Sync>` becomes one with `?`: any `std::error::Error` that may cross threads,
/// a text, an `anyhow::Error`. So a body may return `Result<_, TaskError>`, or a `Result` with any of those, and use what it
/// likes inside. For that reason it is not itself a `std::error::Error`.
///
/// ```
/// use cloacina_core::TaskError;
///
/// fn parse(text: &str) -> Result<u32, TaskError> {
///     if text.is_empty() {
///         return Err("there is nothing to parse".into());
///     }
///     Ok(text.parse::<u32>()?)
/// }
/// let error = parse("x").unwrap_err();
/// assert_eq!(error.to_string(), "invalid digit found in string");
/// assert!(error.downcast_ref::<std::num::ParseIntError>().is_some());
/// assert!(TaskError::permanent("no such customer").is_permanent());
/// ```
#[derive(Debug, Clone)]
pub struct TaskError {
    message: String,
    retry: Retry,
    /// What it was made of.
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What becomes an error.
type Source = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Retry {
    ByPolicy,
    Never,
    After(Duration),
}

impl TaskError {
    /// Makes an error of anything that can be shown. It is retried as the task's policy says.
    ///
    /// An error is better turned into one with `?` or `from`: that keeps its causes.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), retry: Retry::ByPolicy, source: None }
    }

    /// Makes an error, of a text or of another error, that is not retried, whatever the policy says.
    pub fn permanent(error: impl Into<Self>) -> Self {
        Self { retry: Retry::Never, ..error.into() }
    }

    /// Makes this error one that is retried after the given wait in place of the policy's, attempts permitting.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry = Retry::After(delay);
        self
    }

    /// Makes the text fit to be stored: cuts it to so many bytes, and says that it did, and puts U+FFFD in the place of NUL
    /// characters, which not every store takes.
    pub(crate) fn limited(mut self, bytes: usize) -> Self {
        if self.message.contains('\0') {
            self.message = self.message.replace('\0', "\u{fffd}");
        }
        if self.message.len() > bytes {
            let whole = self.message.len();
            self.message.truncate(self.message.floor_char_boundary(bytes));
            self.message.push_str(&format!("… (cut, {whole} bytes in all)"));
        }
        self
    }

    /// Parts it from the error that it was made of, whose end may be anything.
    pub(crate) fn into_parts(mut self) -> (Self, impl Sized) {
        let source = self.source.take();
        (self, source)
    }

    /// Returns what went wrong, with its causes.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Returns the first error of that type among the one that it was made of and its causes. For a `retry_on` that decides
    /// by type.
    ///
    /// An `anyhow::Error` hides the error that it was made of, but not the causes of that, nor what it was before something
    /// was added to it by `context`.
    #[must_use]
    pub fn downcast_ref<E: std::error::Error + 'static>(&self) -> Option<&E> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = match &self.source {
            Some(source) => Some(&**source),
            None => None,
        };
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// Returns it as an error like others, with its causes: for `?` in a test that calls a task function, and for `anyhow`.
    ///
    /// ```
    /// use cloacina_core::{Context, TaskError, task};
    /// use serde_json::json;
    ///
    /// #[task]
    /// async fn load(context: &mut Context) -> Result<(), TaskError> {
    ///     let rows: Vec<i64> = context.get_as("rows")?;
    ///     Ok(context.insert("total", json!(rows.iter().sum::<i64>()))?)
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut context = Context::new();
    /// context.insert("rows", json!([1, 2]))?;
    /// load(&mut context).await.map_err(TaskError::into_error)?;
    /// assert_eq!(context.get("total"), Some(&json!(3)));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn into_error(self) -> impl std::error::Error + Send + Sync + 'static {
        Shared(self.source.unwrap_or_else(|| Source::from(self.message).into()))
    }

    /// Reports whether it is never retried.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        self.retry == Retry::Never
    }

    pub(crate) const fn delay(&self) -> Option<Duration> {
        match self.retry {
            Retry::After(delay) => Some(delay),
            Retry::ByPolicy | Retry::Never => None,
        }
    }
}

/// An error that clones of a [`TaskError`] share.
#[derive(Debug)]
struct Shared(Arc<dyn std::error::Error + Send + Sync>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl fmt::Display for TaskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: Into<Source>> From<E> for TaskError {
    /// Keeps the error, its text and those of its sources, joined by `: `; a text that ends with its source's is kept once.
    fn from(error: E) -> Self {
        let error = error.into();
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            let before = message.strip_suffix(&text);
            if !before.is_some_and(|before| before.is_empty() || before.ends_with(": ")) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self { message, retry: Retry::ByPolicy, source: Some(error.into()) }
    }
}
