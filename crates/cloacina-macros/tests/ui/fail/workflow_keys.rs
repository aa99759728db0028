use cloacina_core::{task, workflow};

#[task]
async fn extract() {}

workflow! { nam: "a", tasks: [extract] }

workflow! { name: "b" }

workflow! { name: "b", description: 5, tasks: [extract] }

workflow! { name = "c", tasks: [extract], tasks: [extract] }

workflow! { name: "", tasks: extract }

workflow! {}

fn main() {}
