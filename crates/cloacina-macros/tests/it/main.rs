//! Programs that compile, and programs that must not, with what the user is told.

mod ui;
