use cloacina_core::{Output, task, workflow};

#[task]
async fn extract() -> u8 {
    1
}

#[task(dependencies = ["extrct"])]
async fn misspelt() {}

#[task(dependencies = ["a-task-of-another-workflow"])]
async fn elsewhere() {}

#[task(dependencies = [extract])]
async fn load() {}

#[task]
async fn report(_rows: Output<extract>) {}

workflow! { name: "by id", tasks: [extract, misspelt, elsewhere] }

workflow! { name: "not listed", tasks: [load, report] }

fn main() {}
