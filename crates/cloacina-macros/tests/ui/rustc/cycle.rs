use cloacina_core::{Output, task, workflow};

#[task(dependencies = [report])]
async fn extract() -> u8 {
    1
}

#[task]
async fn load(rows: Output<extract>) -> u8 {
    *rows
}

#[task(dependencies = ["load"])]
async fn report() {}

workflow! { name: "etl", tasks: [load, extract, report] }

fn main() {}
