//! What is meant: a name, and tasks, each once. The graph itself is checked where all tasks are known.

use std::collections::HashSet;

use proc_macro2::Span;

use super::parse::Workflow;
use crate::errors::Errors;
use crate::keyed;

/// Checks the input; mistakes go to `errors`.
pub(super) fn workflow(workflow: &Workflow, errors: &mut Errors) {
    // A key that is not known may have been meant for one that is missing.
    let all_known = errors.is_empty();
    for key in ["name", "tasks"] {
        if all_known && !workflow.seen.iter().any(|seen| seen == key) {
            errors.at(Span::call_site(), format!("key `{key}` is missing"));
        }
    }
    let name = workflow.name.as_ref().map(|name| (name.value.span(), name.value.value()));
    if let Some((span, name)) = &name
        && let Some(refusal) = keyed::refusal("workflow name", name)
    {
        errors.at(*span, refusal);
    }
    let name = name.map_or_else(String::new, |(_, name)| format!(" `{name}`"));
    if let Some(span) = workflow.list.filter(|_| !workflow.lists_any) {
        errors.at(span, format!("workflow{name} has no tasks"));
    }
    let mut seen = HashSet::new();
    for path in &workflow.tasks {
        let text = keyed::path_text(path);
        if !seen.insert(text.clone()) {
            errors.on(path, format!("task `{text}` is in workflow{name} twice"));
        }
    }
}
