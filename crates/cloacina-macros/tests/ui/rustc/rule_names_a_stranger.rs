use cloacina_core::{task, workflow};

#[task]
async fn extract() {}

#[task]
async fn transform() {}

#[task(dependencies = [extract], trigger_rules = any(task_failed(extract), task_failed("transform")))]
async fn help() {}

workflow! { name: "etl", tasks: [extract, transform, help] }

fn main() {}
