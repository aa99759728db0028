//! Tenants on real servers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod attack_table;
mod attacks;
mod audit;
mod guide;
mod interrupted;
mod isolation;
mod lifecycle;
mod migrations;
mod proxy;
mod rights;
mod runtime;
mod secrets;
mod support;
mod tenants;
mod together;
