use cloacina_core::{Output, task};

#[task]
async fn load(_rows: Output<u32>) {}

fn main() {}
