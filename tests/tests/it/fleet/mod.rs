//! Worker processes on one schema of a real server: killed, stopped and continued, cut off, crashed from within, shut down.

mod client;
mod crowded;
mod database;
mod evidence;
mod killed;
mod locked;
mod poison;
mod restart;
mod shutdown;
mod silence;
mod steady;
mod stopped;
mod storm;
mod support;
