//! Worker processes on one schema of a real server: killed, stopped and continued, cut off, crashed from within, shut down.

mod checker;
mod client;
mod crowded;
mod killed;
mod locked;
mod poison;
mod restart;
mod shutdown;
mod silence;
mod steady;
mod stopped;
mod support;
mod torture;
