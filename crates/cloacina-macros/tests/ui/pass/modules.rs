//! Tasks in modules, imported, renamed, with raw names, in functions, and with other attributes.

mod stages {
    use cloacina_core::{Context, task};

    #[task]
    pub(crate) async fn extract(_context: &mut Context) {}

    pub mod deep {
        use cloacina_core::{Context, Output, task};

        #[task(id = "tidy-up", dependencies = [super::extract])]
        pub async fn clean(_context: &mut Context) -> u8 {
            7
        }

        #[task]
        pub async fn r#type(cleaned: Output<clean>) -> u8 {
            *cleaned
        }
    }
}

use cloacina_core::{TaskDefinition, registered_workflows, task, workflow};
use stages::deep::{clean, r#type as kind};
use stages::*;

/// Documented, allowed, deprecated: it is left as it is.
#[allow(clippy::unused_async)]
#[deprecated]
#[task(dependencies = [crate::stages::extract, clean, "type"])]
async fn load() {}

#[allow(deprecated)]
mod flow {
    use super::*;

    workflow! {
        name: "modules",
        description: "tasks of all sorts of places",
        tasks: [load, kind, stages::deep::clean, extract],
    }
}

fn main() {
    #[task]
    async fn local() {}
    workflow! { name: "local", tasks: [local] }

    assert_eq!(clean::ID, "tidy-up");
    assert_eq!(kind::META.dependencies, ["tidy-up"]);
    let workflows = registered_workflows().unwrap();
    let names: Vec<&str> = workflows.iter().map(|workflow| workflow.name()).collect();
    assert_eq!(names, ["local", "modules"]);
    let order: Vec<&str> = workflows[1].tasks().iter().map(|task| task.id().as_str()).collect();
    assert_eq!(order, ["extract", "tidy-up", "type", "load"]);
}
