use std::cell::Cell;

use cloacina_core::{State, task};

#[task(blocking)]
fn count(_calls: State<Cell<u32>>) {}

fn main() {}
