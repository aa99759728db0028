use cloacina_core::{TaskError, task};

struct Rows;

#[task]
async fn extract() -> Result<Rows, TaskError> {
    Ok(Rows)
}

fn main() {}
