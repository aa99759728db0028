use cloacina_core::{Context, task};

#[task]
fn plain(_context: &mut Context) {}

#[task(blocking)]
async fn both(_context: &mut Context) {}

#[task]
async fn generic<T>(_context: &mut Context) {}

#[task]
async fn any(_value: impl Sized) {}

#[task]
async unsafe fn careless() {}

#[task]
async fn two(_read: &Context, _write: &mut Context) {}

fn main() {}
