use cloacina_core::{task, workflow};

mod stages {
    use cloacina_core::task;

    #[task]
    pub async fn load() {}
}

#[task]
async fn extract() {}

#[task(id = "extract", dependencies = [extract])]
async fn load() {}

use load as again;

workflow! { name: "two functions", tasks: [extract, load] }

workflow! { name: "two names", tasks: [extract, stages::load, again, self::stages::load] }

fn main() {}
