use cloacina_core::{task, workflow};

#[task]
async fn extract() {}

workflow! { name: "empty", tasks: [] }

workflow! { name: "twice", tasks: [extract, extract] }

workflow! { name: "by id", tasks: ["extract"] }

fn main() {}
