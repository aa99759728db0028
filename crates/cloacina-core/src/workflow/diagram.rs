//! A workflow as a diagram, in the languages of Mermaid and Graphviz.

use std::fmt::{self, Write as _};

use super::Workflow;
use crate::{Task, TriggerRule};

impl Workflow {
    /// Draws the DAG in the language of [Mermaid](https://mermaid.js.org), which Markdown viewers show: a box a task in
    /// topological order, with its trigger rules unless they are the default, and an arrow a dependency.
    ///
    /// ```
    /// # use cloacina_core::{Task, TriggerRule, Workflow};
    /// # let task = |id| Task::new(id, |_context, _run| Box::pin(async {}));
    /// # let extract = task("extract");
    /// # let load = task("load").depends_on(["extract"]).trigger_rules(TriggerRule::AllDone);
    /// # let workflow = Workflow::builder("etl").task(extract).task(load).build().unwrap();
    /// let diagram = r#"---
    /// title: "etl"
    /// ---
    /// flowchart TD
    ///     n0["extract"]
    ///     n1["load<br/>all_done"]
    ///     n0 --> n1
    /// "#;
    /// assert_eq!(workflow.to_mermaid(), diagram);
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let title: String = self.name().chars().map(shown).collect();
        let title = serde_json::Value::from(title);
        draw(|text| {
            // A text in JSON is one in YAML.
            write!(text, "---\ntitle: {title}\n---\nflowchart TD\n")?;
            for (ordinal, task) in self.tasks().iter().enumerate() {
                writeln!(text, "    n{ordinal}[\"{}\"]", label(task, "<br/>", mermaid))?;
            }
            self.edges(|from, to| writeln!(text, "    n{from} --> n{to}"))
        })
    }

    /// Draws the DAG in the language of [Graphviz](https://graphviz.org), which `dot -Tsvg` turns into a picture: a node a
    /// task in topological order, with its trigger rules unless they are the default, and an edge a dependency.
    ///
    /// ```
    /// # use cloacina_core::{Task, TriggerRule, Workflow};
    /// # let task = |id| Task::new(id, |_context, _run| Box::pin(async {}));
    /// # let extract = task("extract");
    /// # let load = task("load").depends_on(["extract"]).trigger_rules(TriggerRule::AllDone);
    /// # let workflow = Workflow::builder("etl").task(extract).task(load).build().unwrap();
    /// let diagram = r#"digraph "etl" {
    ///     node [shape=box];
    ///     n0 [label="extract"];
    ///     n1 [label="load\nall_done"];
    ///     n0 -> n1;
    /// }
    /// "#;
    /// assert_eq!(workflow.to_dot(), diagram);
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        draw(|text| {
            write!(text, "digraph \"{}\" {{\n    node [shape=box];\n", dot(self.name()))?;
            for (ordinal, task) in self.tasks().iter().enumerate() {
                writeln!(text, "    n{ordinal} [label=\"{}\"];", label(task, "\\n", dot))?;
            }
            self.edges(|from, to| writeln!(text, "    n{from} -> n{to};"))?;
            text.write_str("}\n")
        })
    }

    fn edges(&self, mut draw: impl FnMut(u32, usize) -> fmt::Result) -> fmt::Result {
        let dependencies = self.dag().dependencies.iter().enumerate();
        dependencies
            .flat_map(|(to, parents)| parents.iter().map(move |&from| (from, to)))
            .try_for_each(|(from, to)| draw(from, to))
    }
}

fn draw(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write(&mut text);
    text
}

fn label(task: &Task, line_break: &str, escape: fn(&str) -> String) -> String {
    let id = escape(task.id.as_str());
    match &task.rule {
        TriggerRule::AllSuccess => id,
        rule => format!("{id}{line_break}{}", escape(&rule.to_string())),
    }
}

/// Escapes what means something in a quoted label of Mermaid
/// (<https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters>).
fn mermaid(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' => {
                escaped.push_str(&format!("#{};", u32::from(c)));
            }
            c => escaped.push(shown(c)),
        }
    }
    escaped
}

/// Neither language has a text with control characters.
fn shown(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Escapes what means something in a quoted text of Graphviz (<https://graphviz.org/doc/info/lang.html>), which also knows the
/// entities of HTML.
fn dot(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            '&' => escaped.push_str("&amp;"),
            c => escaped.push(shown(c)),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
