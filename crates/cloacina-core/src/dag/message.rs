//! What is said of a DAG that is not in order: the same words from rustc and from `Workflow::builder`.

use std::str::from_utf8;

/// What is wrong, by name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault<'a> {
    Empty,
    Duplicate {
        task: &'a str,
    },
    UnknownDependency {
        task: &'a str,
        dependency: &'a str,
        nearest: Option<&'a str>,
    },
    RuleNamesStranger {
        task: &'a str,
        named: &'a str,
    },
    /// Each task depends on the one before, the first on the last.
    Cycle {
        cycle: &'a [&'a str],
    },
}

/// Returns the sentence.
pub(crate) const fn text(workflow: &str, fault: &Fault<'_>) -> Text {
    let mut text = Text::new();
    match *fault {
        Fault::Empty => text.push_all(&["workflow `", workflow, "` has no tasks"]),
        Fault::Duplicate { task } => {
            text.push_all(&["task `", task, "` is in workflow `", workflow, "` twice"]);
        }
        Fault::UnknownDependency { task, dependency, nearest } => {
            text.push_all(&["task `", task, "` depends on `", dependency]);
            text.push_all(&["`, which is not in workflow `", workflow, "`"]);
            if let Some(nearest) = nearest {
                text.push_all(&["; did you mean `", nearest, "`?"]);
            }
        }
        Fault::RuleNamesStranger { task, named } => {
            text.push_all(&["the trigger rules of task `", task, "` name `", named]);
            text.push_all(&["`, which is not among its dependencies in workflow `", workflow, "`"]);
        }
        Fault::Cycle { cycle: [task] } => text.push_all(&["task `", task, "` depends on itself"]),
        Fault::Cycle { cycle } => {
            text.push_all(&["workflow `", workflow, "` has a cycle: "]);
            let mut at = 0;
            while at < cycle.len() {
                text.push_all(&[cycle[at], " -> "]);
                at += 1;
            }
            text.push(if cycle.is_empty() { "" } else { cycle[0] });
        }
    }
    text
}

/// Most bytes of a text. Only a cycle of very many tasks needs more.
const CAPACITY: usize = 4096;

/// What stands for the rest of a text that is longer.
const REST: &str = " …";

/// A text that a constant function can write.
pub(crate) struct Text {
    bytes: [u8; CAPACITY],
    len: usize,
    is_cut: bool,
}

impl Text {
    const fn new() -> Self {
        Self { bytes: [0; CAPACITY], len: 0, is_cut: false }
    }

    const fn push_all(&mut self, parts: &[&str]) {
        let mut at = 0;
        while at < parts.len() {
            self.push(parts[at]);
            at += 1;
        }
    }

    /// Adds a part, whole or not at all.
    const fn push(&mut self, part: &str) {
        if self.is_cut {
            return;
        }
        if self.len + part.len() + REST.len() > CAPACITY {
            self.is_cut = true;
            self.copy(REST);
        } else {
            self.copy(part);
        }
    }

    const fn copy(&mut self, part: &str) {
        let (_, free) = self.bytes.split_at_mut(self.len);
        free.split_at_mut(part.len()).0.copy_from_slice(part.as_bytes());
        self.len += part.len();
    }

    pub(crate) const fn as_str(&self) -> &str {
        // Only whole texts were copied.
        match from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "",
        }
    }
}
