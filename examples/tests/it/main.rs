//! The code of the examples, run against real files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod database;
mod errors;
mod files;
mod fleet;
mod gantt;
mod instances;
mod observing;
#[cfg(unix)]
mod postgres;
mod program;
mod runs;
mod tenancy;

use std::path::Path;

use cloacina_examples::Database;
use cloacina_examples::wf::{Ended, Instance, Settings, run};
use indicatif::ProgressBar;

/// Settings for a file in that folder, at scale 0.
fn settings(folder: &Path, resume: bool) -> Settings {
    let url = format!("sqlite://{}", folder.join("wf.db").display());
    settings_on(Database::Sqlite { url }, resume)
}

/// Settings for that database, at scale 0.
fn settings_on(database: Database, resume: bool) -> Settings {
    Settings { database, workers: 16, scale: 0.0, resume, bar: ProgressBar::hidden() }
}

async fn execute(instance: &Instance, settings: &Settings) -> Ended {
    run(instance, settings).await.unwrap()
}
