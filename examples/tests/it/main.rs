//! The code of the examples, run against real files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod errors;
mod files;
mod gantt;
mod instances;
mod runs;

use std::path::Path;

use cloacina_examples::wf::{Ended, Instance, Settings, run};
use cloacina_sqlite::SqliteBackend;
use indicatif::ProgressBar;

/// Settings for a database in that folder, at scale 0.
fn settings(folder: &Path, resume: bool) -> Settings {
    Settings {
        database: format!("sqlite://{}", folder.join("wf.db").display()),
        workers: 16,
        scale: 0.0,
        resume,
        bar: ProgressBar::hidden(),
    }
}

async fn execute(instance: &Instance, settings: &Settings) -> Ended {
    run::<SqliteBackend>(instance, settings).await.unwrap()
}
