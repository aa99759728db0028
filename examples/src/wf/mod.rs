//! Workflows from files: reads a WfFormat instance, makes a workflow of it, runs it, and reports.
//!
//! WfFormat is the JSON format of the WfCommons project, in which recorded runs of scientific workflows are
//! published: <https://wfcommons.org/format>.

mod build;
mod gantt;
mod kinds;
mod parse;
mod report;
mod run;

pub use build::{Bodies, Bounds, scaled, workflow};
pub use gantt::{Lanes, pack, write as write_gantt};
pub use kinds::kinds;
pub use parse::{FileError, Instance, TaskSpec, bakery, parse, read};
pub use report::Report;
pub use run::{Ended, Settings, run};
