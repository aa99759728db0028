//! A library of tasks, with a workflow of its own. The test `user` makes a crate of it.

use cloacina_core::{Context, TaskError, task, workflow};
use serde_json::json;

#[task]
pub async fn extract(context: &mut Context) -> Result<(), TaskError> {
    Ok(context.insert("items", json!([20, 20, 2]))?)
}

pub mod check {
    //! A module further down.

    use super::{Context, TaskError, extract, task};

    #[task(dependencies = [extract], id = "check-items")]
    pub async fn items(context: &mut Context) -> Result<(), TaskError> {
        match context.get_as::<Vec<i64>>("items")?.as_slice() {
            [] => Err(TaskError::permanent("there are no items")),
            [_, ..] => Ok(()),
        }
    }
}

#[task(blocking, dependencies = [extract, check::items])]
pub fn count(context: &mut Context) -> Result<(), TaskError> {
    let items: Vec<i64> = context.get_as("items")?;
    Ok(context.insert("counted", json!(items.len()))?)
}

workflow! { name: "stock", description: "counts", tasks: [extract, check::items, count] }
