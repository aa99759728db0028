//! Where executions are: in a file, or in a schema.

mod postgres;
mod sqlite;

use std::sync::Arc;

use anyhow::Result;
use cloacina_core::{Backend, Workflow};
use serde_json::Value;

use crate::counters::{Counters, Settled};
use crate::limit::{Method, Template, Writer};

pub(crate) use postgres::Postgres;
pub(crate) use sqlite::Sqlite;

/// A store that makes places.
pub(crate) trait Store {
    type Place: Place;

    /// What it is called on the command line.
    fn name(&self) -> &'static str;

    /// Tells versions and settings.
    async fn describe(&self) -> Result<Value>;

    /// Makes an empty place.
    async fn place(&self) -> Result<Self::Place>;

    /// How the limit may be written; the fastest counts.
    fn methods(&self) -> &'static [Method];
}

/// A place for the executions of one tenant.
pub(crate) trait Place {
    type Backend: Backend;
    type Writer: Writer;

    /// Opens it as a user does.
    async fn open(&self) -> Result<Self::Backend>;

    /// Counts while a back end is open.
    async fn counters(&self) -> Result<Counters>;

    /// Counts while no back end is open.
    async fn settled(&self) -> Result<Settled>;

    /// Reads what rows the engine has written for an execution of that workflow.
    async fn template(&self, workflow: &Workflow) -> Result<Template>;

    /// Opens what writes the rows of a template without the engine, into tables that the engine has made.
    async fn writers(&self, template: &Arc<Template>, method: Method) -> Result<Vec<Self::Writer>>;

    /// Lets half of the executions that nobody owns have begun, and given back after their first task.
    async fn begin_half(&self, template: &Template) -> Result<()>;

    /// Puts in so many executions that have completed.
    async fn fill(&self, template: &Template, count: usize) -> Result<()>;

    /// Removes it.
    async fn remove(self) -> Result<()>;
}
