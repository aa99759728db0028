//! The guide from which this project comes, section by section: its own code, pasted. Changed are imports, names of crates, `.await` on the
//! calls of the admin, and addresses; what else has to be changed is marked by `CHANGED`, and listed in
//! `docs/guide/src/original-guide.md`.

#![allow(
    unused_qualifications,
    clippy::cast_possible_truncation,
    clippy::collapsible_if,
    clippy::str_to_string,
    clippy::uninlined_format_args,
    reason = "the guide's own code"
)]

mod configuration;
mod credentials;
mod environment;
mod executors;
mod isolation;
mod metrics;
mod pool;
mod secure_manager;
mod sqlite;
mod support;
mod tenant_manager;
mod web_service;
