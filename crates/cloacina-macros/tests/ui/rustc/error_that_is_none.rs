use cloacina_core::task;

struct Away;

#[task]
async fn extract() -> Result<u32, Away> {
    Err(Away)
}

#[task]
async fn load() -> Result<u32, Box<dyn std::error::Error>> {
    Ok("5".parse()?)
}

fn main() {}
