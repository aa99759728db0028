use cloacina_core::{Output, task};

#[task]
async fn extract() -> u8 {
    1
}

#[task(dependencies = [extrct])]
async fn load() {}

#[task]
async fn report(_rows: Output<extarct>) {}

fn main() {}
