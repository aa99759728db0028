//! Whoever can name a task can name what it returns.

#![allow(private_interfaces)]

use cloacina_core::task;

#[derive(serde::Serialize)]
struct Private;

#[task]
pub async fn extract() -> Private {
    Private
}

#[task]
pub async fn load() -> Result<Private, std::io::Error> {
    Ok(Private)
}

fn main() {}
