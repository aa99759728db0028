//! Turns rows into records. A value that makes no sense is reported with its table, id and column.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use cloacina_core::backend::{
    AttemptRecord, AttemptState, Company, EventKind, EventRecord, ExecutionRecord, JsonText,
    NewEvent, Standing, TaskRecord, WorkflowKey,
};
use cloacina_core::{
    BackendError, ExecutionId, PipelineStatus, SkipReason, TaskId, TaskState, WorkerId,
};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row as _, Type};
use uuid::Uuid;

/// A row of a table, with the id that errors name.
pub(crate) struct Cells<'r> {
    row: &'r SqliteRow,
    table: &'static str,
    id: Option<ExecutionId>,
}

impl<'r> Cells<'r> {
    /// Reads the execution's id from `column` first, since errors name it.
    fn of(
        table: &'static str,
        column: &'static str,
        row: &'r SqliteRow,
    ) -> Result<(Self, ExecutionId), BackendError> {
        let unnamed = Self { row, table, id: None };
        let id = ExecutionId::from_uuid(unnamed.uuid(column)?);
        Ok((Self { id: Some(id), ..unnamed }, id))
    }

    fn get<T>(&self, column: &'static str) -> Result<T, BackendError>
    where
        T: Decode<'r, Sqlite> + Type<Sqlite>,
    {
        self.row.try_get(column).map_err(|error| BackendError::Corrupt {
            reason: self.place(column),
            source: Some(Box::new(error)),
        })
    }

    fn place(&self, column: &str) -> String {
        let table = self.table;
        match self.id {
            Some(id) => format!("table `{table}`, execution `{id}`, column `{column}`"),
            None => format!("table `{table}`, column `{column}`"),
        }
    }

    fn corrupt(&self, column: &str, value: impl std::fmt::Display) -> BackendError {
        let reason = format!("{}: unexpected `{value}`", self.place(column));
        BackendError::Corrupt { reason, source: None }
    }

    fn uuid(&self, column: &'static str) -> Result<Uuid, BackendError> {
        self.parse_uuid(column, self.get(column)?)
    }

    fn maybe_uuid(&self, column: &'static str) -> Result<Option<Uuid>, BackendError> {
        self.get::<Option<&[u8]>>(column)?.map(|bytes| self.parse_uuid(column, bytes)).transpose()
    }

    fn parse_uuid(&self, column: &str, bytes: &[u8]) -> Result<Uuid, BackendError> {
        Uuid::from_slice(bytes).map_err(|error| BackendError::Corrupt {
            reason: self.place(column),
            source: Some(Box::new(error)),
        })
    }

    fn parse_hex(&self, column: &str, text: &str) -> Result<Uuid, BackendError> {
        Uuid::try_parse(text).map_err(|error| BackendError::Corrupt {
            reason: self.place(column),
            source: Some(Box::new(error)),
        })
    }

    /// Reads a number that is never negative.
    fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, BackendError> {
        let value: i64 = self.get(column)?;
        T::try_from(value).map_err(|_| self.corrupt(column, value))
    }

    fn named<T>(
        &self,
        column: &'static str,
        from_name: impl Fn(&str) -> Option<T>,
    ) -> Result<T, BackendError> {
        let name: &str = self.get(column)?;
        from_name(name).ok_or_else(|| self.corrupt(column, name))
    }

    fn time(&self, column: &'static str) -> Result<DateTime<Utc>, BackendError> {
        let micros: i64 = self.get(column)?;
        DateTime::from_timestamp_micros(micros).ok_or_else(|| self.corrupt(column, micros))
    }

    fn maybe_time(&self, column: &'static str) -> Result<Option<DateTime<Utc>>, BackendError> {
        let Some(micros) = self.get::<Option<i64>>(column)? else { return Ok(None) };
        let time = DateTime::from_timestamp_micros(micros);
        time.map(Some).ok_or_else(|| self.corrupt(column, micros))
    }

    fn text(&self, column: &'static str) -> Result<Arc<str>, BackendError> {
        Ok(self.get::<&str>(column)?.into())
    }

    fn maybe_text(&self, column: &'static str) -> Result<Option<Arc<str>>, BackendError> {
        Ok(self.get::<Option<&str>>(column)?.map(Into::into))
    }

    fn owner(&self) -> Result<Option<WorkerId>, BackendError> {
        Ok(self.maybe_uuid("owner")?.map(WorkerId::from_uuid))
    }

    fn skip(&self) -> Result<Option<SkipReason>, BackendError> {
        let Some(kind) = self.get::<Option<&str>>("skip_kind")? else { return Ok(None) };
        let task = || Ok(TaskId::new(self.text("skip_task")?));
        match kind {
            "condition" => Ok(Some(SkipReason::Condition)),
            "upstream_skipped" => Ok(Some(SkipReason::UpstreamSkipped(task()?))),
            "upstream_failed" => Ok(Some(SkipReason::UpstreamFailed(task()?))),
            other => Err(self.corrupt("skip_kind", other)),
        }
    }
}

/// Splits a skip reason into what its two columns hold.
pub(crate) fn skip_columns(skip: Option<&SkipReason>) -> (Option<&'static str>, Option<&str>) {
    match skip {
        None => (None, None),
        Some(SkipReason::Condition) => (Some("condition"), None),
        Some(SkipReason::UpstreamSkipped(task)) => (Some("upstream_skipped"), Some(task.as_str())),
        Some(SkipReason::UpstreamFailed(task)) => (Some("upstream_failed"), Some(task.as_str())),
    }
}

/// Names a company as the column holds it.
pub(crate) const fn company_name(company: Company) -> &'static str {
    match company {
        Company::Shared => "shared",
        Company::Alone => "alone",
    }
}

fn company_from(name: &str) -> Option<Company> {
    match name {
        "shared" => Some(Company::Shared),
        "alone" => Some(Company::Alone),
        _ => None,
    }
}

/// Names a state as the column holds it.
pub(crate) const fn attempt_state_name(state: AttemptState) -> &'static str {
    match state {
        AttemptState::Running => "running",
        AttemptState::Failed => "failed",
        AttemptState::Lost => "lost",
        AttemptState::Released => "released",
    }
}

fn attempt_state_from(name: &str) -> Option<AttemptState> {
    match name {
        "running" => Some(AttemptState::Running),
        "failed" => Some(AttemptState::Failed),
        "lost" => Some(AttemptState::Lost),
        "released" => Some(AttemptState::Released),
        _ => None,
    }
}

/// Reads where executions stand, from the one row that tells it of several.
pub(crate) fn standings(
    row: &SqliteRow,
) -> Result<Vec<(ExecutionId, Option<Standing>)>, BackendError> {
    let cells = Cells { row, table: "executions", id: None };
    let text: &str = cells.get("standings")?;
    let found: Vec<(&str, Option<&str>, &str, Option<i64>)> =
        serde_json::from_str(text).map_err(|error| BackendError::Corrupt {
            reason: cells.place("standings"),
            source: Some(Box::new(error)),
        })?;
    let standing = |(id, status, owner, epoch): (&str, Option<&str>, &str, Option<i64>)| {
        let id = ExecutionId::from_uuid(cells.parse_hex("id", id)?);
        let (Some(status), Some(epoch)) = (status, epoch) else { return Ok((id, None)) };
        let cells = Cells { row, table: "executions", id: Some(id) };
        let owner = (!owner.is_empty()).then(|| cells.parse_hex("owner", owner)).transpose()?;
        let standing = Standing {
            status: PipelineStatus::from_name(status)
                .ok_or_else(|| cells.corrupt("status", status))?,
            owner: owner.map(WorkerId::from_uuid),
            epoch: u64::try_from(epoch).map_err(|_| cells.corrupt("epoch", epoch))?,
        };
        Ok((id, Some(standing)))
    };
    found.into_iter().map(standing).collect()
}

/// Reads the execution that carries a key: the key, its id, its workflow.
pub(crate) fn keyed(row: &SqliteRow) -> Result<(Arc<str>, ExecutionId, Arc<str>), BackendError> {
    let (cells, id) = Cells::of("executions", "id", row)?;
    Ok((cells.text("idempotency_key")?, id, cells.text("workflow")?))
}

pub(crate) fn execution_id(row: &SqliteRow) -> Result<ExecutionId, BackendError> {
    Cells::of("executions", "id", row).map(|(_, id)| id)
}

pub(crate) fn execution(row: &SqliteRow) -> Result<ExecutionRecord, BackendError> {
    let (cells, id) = Cells::of("executions", "id", row)?;
    Ok(ExecutionRecord {
        id,
        workflow: WorkflowKey { name: cells.text("workflow")?, version: cells.text("version")? },
        status: cells.named("status", PipelineStatus::from_name)?,
        idempotency_key: cells.maybe_text("idempotency_key")?,
        retry_of: cells.maybe_uuid("retry_of")?.map(ExecutionId::from_uuid),
        owner: cells.owner()?,
        epoch: cells.number("epoch")?,
        takeovers: cells.number("takeovers")?,
        error: cells.get("error")?,
        created_at: cells.time("created_at")?,
        due_at: cells.maybe_time("due_at")?,
        started_at: cells.maybe_time("started_at")?,
        finished_at: cells.maybe_time("finished_at")?,
    })
}

pub(crate) fn input(row: &SqliteRow) -> Result<JsonText, BackendError> {
    let (cells, _) = Cells::of("executions", "id", row)?;
    Ok(JsonText::new(cells.text("input")?))
}

pub(crate) fn task(row: &SqliteRow) -> Result<(ExecutionId, TaskRecord), BackendError> {
    let (cells, execution) = Cells::of("tasks", "execution_id", row)?;
    let record = TaskRecord {
        task: TaskId::new(cells.text("task")?),
        ordinal: cells.number("ordinal")?,
        state: cells.named("state", TaskState::from_name)?,
        attempts: cells.number("attempts")?,
        changes: cells.maybe_text("changes")?.map(JsonText::new),
        output: cells.maybe_text("output")?.map(JsonText::new),
        error: cells.get("error")?,
        skip: cells.skip()?,
        started_at: cells.time("started_at")?,
        ended_at: cells.time("ended_at")?,
    };
    Ok((execution, record))
}

pub(crate) fn attempt(row: &SqliteRow) -> Result<(ExecutionId, AttemptRecord), BackendError> {
    let (cells, execution) = Cells::of("attempts", "execution_id", row)?;
    let record = AttemptRecord {
        task: TaskId::new(cells.text("task")?),
        attempt: cells.number("attempt")?,
        epoch: cells.number("epoch")?,
        state: cells.named("state", attempt_state_from)?,
        company: cells.named("company", company_from)?,
        error: cells.get("error")?,
        progress: cells.get("progress")?,
        started_at: cells.time("started_at")?,
        ended_at: cells.maybe_time("ended_at")?,
        retry_at: cells.maybe_time("retry_at")?,
    };
    Ok((execution, record))
}

pub(crate) fn event(execution: ExecutionId, row: &SqliteRow) -> Result<EventRecord, BackendError> {
    let cells = Cells { row, table: "events", id: Some(execution) };
    let event = NewEvent {
        kind: cells.named("kind", EventKind::from_name)?,
        task: cells.maybe_text("task")?.map(TaskId::new),
        detail: cells.get("detail")?,
    };
    Ok(EventRecord { execution, at: cells.time("at")?, event })
}

/// Reads a worker's id from `column`.
pub(crate) fn worker(
    table: &'static str,
    column: &'static str,
    row: &SqliteRow,
) -> Result<WorkerId, BackendError> {
    let cells = Cells { row, table, id: None };
    Ok(WorkerId::from_uuid(cells.uuid(column)?))
}

/// Reads what belongs to no row, such as a count.
pub(crate) fn lease(row: &SqliteRow) -> Result<DateTime<Utc>, BackendError> {
    Cells { row, table: "workers", id: None }.time("expires_at")
}

pub(crate) fn value<'r, T>(row: &'r SqliteRow, column: &'static str) -> Result<T, BackendError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    Cells { row, table: "(computed)", id: None }.get(column)
}

/// Reads a status by its name.
pub(crate) fn status(row: &SqliteRow) -> Result<PipelineStatus, BackendError> {
    let cells = Cells { row, table: "executions", id: None };
    cells.named("status", PipelineStatus::from_name)
}
