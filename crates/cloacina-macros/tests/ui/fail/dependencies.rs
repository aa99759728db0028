use cloacina_core::task;

#[task]
async fn extract() {}

#[task(dependencies = [extract, load, extract, "extract", "extract"])]
async fn load() {}

#[task(id = "me", dependencies = ["me"])]
async fn by_id() {}

fn main() {}
