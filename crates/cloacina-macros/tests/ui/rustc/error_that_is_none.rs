use cloacina_core::task;

struct Away;

#[task]
async fn extract() -> Result<u32, Away> {
    Err(Away)
}

fn main() {}
