use cloacina_core::{Context, task};

#[task(timeout = "1", retry_delay_ms = 5, dependencies = [4], trigger_rules = any(all_done(), x))]
fn wrong<T>(_one: &Context, _two: &Context) -> impl Sized {}

fn main() {}
