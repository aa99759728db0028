//! Asking why an execution is not getting on.

use super::UnifiedExecutor;
use crate::{Backend, ExecutionId, ExecutorError, Explanation};

impl<B: Backend> UnifiedExecutor<B> {
    /// Tells why each unfinished task of an execution is not running: it waits for another, for its retry, for a slot; or the
    /// execution is paused, owned by another worker, unknown here.
    ///
    /// Of an execution that this executor drives, its state in memory is asked, and no store. Any other is read, and what is on
    /// record is put to the rules by which it would be taken up.
    ///
    /// # Errors
    ///
    /// [`ExecutorError::UnknownExecution`], or a store that failed.
    ///
    /// # Examples
    ///
    /// ```
    /// use cloacina_core::{Context, TaskError, TaskReason, task, workflow};
    /// # use cloacina_testing::MemoryBackend;
    /// # type UnifiedExecutor = cloacina_core::UnifiedExecutor<MemoryBackend>;
    ///
    /// #[task]
    /// async fn extract() -> Result<(), TaskError> {
    ///     std::future::pending().await
    /// }
    ///
    /// #[task(dependencies = [extract])]
    /// async fn load() {}
    ///
    /// workflow! { name: "etl", tasks: [extract, load] }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let executor = UnifiedExecutor::builder().build_on(MemoryBackend::new()).await?;
    /// let etl = executor.execute_async("etl", Context::new()).await?;
    /// let explanation = executor.explain(etl.execution_id).await?;
    /// let reason = explanation.task("load");
    /// assert_eq!(reason, Some(&TaskReason::Dependencies { tasks: vec!["extract".into()] }));
    /// println!("{explanation}"); // task `load` waits for `extract`
    /// # Ok(())
    /// # }
    /// ```
    pub async fn explain(&self, id: ExecutionId) -> Result<Explanation, ExecutorError> {
        self.engine().explain(id).await
    }
}
