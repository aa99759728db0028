//! The workflows that are run.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use cloacina_core::{Task, Workflow, WorkflowError};
use cloacina_examples::wf;

use crate::settings::Name;

/// Makes the workflow of a workload that is one. `many` tasks are side by side in `wide`, and in a row in `deep`.
pub(crate) fn workflow(name: Name, file: Option<&str>, many: usize) -> Result<Workflow> {
    Ok(match name {
        Name::Single => row("single", 1)?,
        Name::Chain | Name::Latency | Name::Resume | Name::History => row("chain", 3)?,
        Name::Fan => fan("fan", 10)?,
        Name::Wide => fan("wide", many)?,
        Name::Deep => row("deep", many)?,
        Name::Dag => {
            let file = file.context("`dag` needs a file: `dag FILE`")?;
            let instance = wf::read(Path::new(file))?;
            wf::workflow(&instance, 0.0, &wf::Bodies::default())?
        }
        Name::Tenants | Name::Metg | Name::Limit => bail!("{name:?} is no workflow"),
    })
}

/// The tasks of a workflow by level: each depends on those of earlier levels only, at least on one of the level before.
pub(crate) fn levels(workflow: &Workflow) -> Vec<Vec<&Task>> {
    let mut levels: Vec<Vec<&Task>> = Vec::new();
    let mut level_of = std::collections::HashMap::new();
    for task in workflow.tasks() {
        let above = task.dependencies().iter().filter_map(|id| level_of.get(id.as_str()));
        let level = above.max().map_or(0, |level: &usize| level + 1);
        level_of.insert(task.id().as_str(), level);
        if levels.len() == level {
            levels.push(Vec::new());
        }
        levels[level].push(task);
    }
    levels
}

/// A task that does nothing.
fn idle(id: String) -> Task {
    Task::new(id, |_, _| Box::pin(async {}))
}

/// A task that sets a key.
fn first(id: &str) -> Task {
    Task::new(id, |context, _| {
        context.set("amount", 42.into());
        Box::pin(async {})
    })
}

fn row(name: &str, length: usize) -> Result<Workflow, WorkflowError> {
    let rest = (1..length).map(|place| {
        let before = if place == 1 { "first".to_owned() } else { format!("step_{}", place - 1) };
        idle(format!("step_{place}")).depends_on([before])
    });
    Workflow::builder(name).task(first("first")).tasks(rest).build()
}

fn fan(name: &str, width: usize) -> Result<Workflow, WorkflowError> {
    let names: Vec<_> = (0..width).map(|place| format!("part_{place}")).collect();
    let parts = names.iter().map(|name| idle(name.clone()).depends_on(["first"]));
    let last = idle("last".to_owned()).depends_on(names.iter().map(String::as_str));
    Workflow::builder(name).task(first("first")).tasks(parts).task(last).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widths(name: Name) -> Vec<usize> {
        levels(&workflow(name, None, 1000).unwrap()).iter().map(Vec::len).collect()
    }

    #[test]
    fn workflows_have_the_shape_that_their_name_says() {
        assert_eq!(widths(Name::Single), [1]);
        assert_eq!(widths(Name::Chain), [1, 1, 1]);
        assert_eq!(widths(Name::Fan), [1, 10, 1]);
        assert_eq!(widths(Name::Wide), [1, 1000, 1]);
        assert_eq!(widths(Name::Deep), [1; 1000]);
    }
}
