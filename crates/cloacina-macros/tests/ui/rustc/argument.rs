use cloacina_core::{Context, task};

#[task]
async fn number(_value: u32) {}

#[task]
async fn owned(_context: Context) {}

#[task]
async fn text(_name: &str) {}

fn main() {}
