use cloacina_core::{Output, task};

#[task]
async fn extract() -> Vec<u32> {
    vec![1, 2, 3]
}

#[task]
async fn load(rows: Output<extract>) -> usize {
    let rows: &Vec<String> = &rows;
    rows.len()
}

fn main() {}
