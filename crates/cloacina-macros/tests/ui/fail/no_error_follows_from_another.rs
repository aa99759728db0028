// Each mistake is told once: what has mistakes is a task all the same, to those who name it and call it.
use cloacina_core::{Context, Output, State, task, workflow};

#[task(retires = 3)]
async fn extract(_pool: State<u8>) -> Vec<u8> {
    vec![1, 2, 3]
}

#[task(timeout = "1")]
async fn load(rows: Output<extract>, _context: &mut Context) -> usize {
    rows.len()
}

#[task(dependencies = [extract, load])]
async fn report() {
    let _ = extract(State::new(7)).await;
}

workflow! { name: "etl", tasks: [extract, load, report] }

fn main() {}
