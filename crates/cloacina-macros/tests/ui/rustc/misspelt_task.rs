use cloacina_core::{task, workflow};

#[task]
async fn extract() {}

async fn function() {}

workflow! { name: "etl", tasks: [extrct, function] }

fn main() {}
