use cloacina_core::{Output, task};

#[derive(serde::Serialize)]
struct Rows(Vec<u32>);

#[task]
async fn extract() -> Rows {
    Rows(vec![1, 2, 3])
}

#[task]
async fn load(rows: Output<extract>) -> usize {
    rows.0.0.len()
}

fn main() {}
