//! Several worker processes on one schema: starts them, kills them, watches what they run, and counts afterwards.
//!
//! Parent and workers talk by pipes. A worker is told on its standard input whom it works for, and tells on its standard
//! output what it runs, one line of JSON each. When its input ends, it hands over what it holds and stops; so it never
//! outlives its parent.

mod log;
mod process;
mod protocol;
mod server;
mod show;
mod totals;

pub use log::{Fate, Log, Move};
pub use process::{Fleet, News};
pub use protocol::{Assignment, Body, Receipt, Report, Worker, told_to_stop};
pub use server::server;
pub use show::Show;
pub use totals::{Check, Totals};
