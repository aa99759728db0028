use cloacina_core::{Context, State, TaskContext, task};

#[task]
async fn number(_value: u32) {}

#[task]
async fn owned(_context: Context) {}

#[task]
async fn text(_name: &str) {}

#[task]
async fn state(_db: &State<u32>) {}

#[task(blocking)]
fn run(_run: &TaskContext) {}

fn main() {}
