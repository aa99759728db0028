//! Worker processes on one SQLite file: kept from writing, without room, without power.

mod disk;
mod evidence;
mod lock;
mod power;
mod support;
