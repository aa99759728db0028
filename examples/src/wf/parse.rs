//! Reads WfFormat 1.5, plain or gzipped.

use std::collections::{HashMap, HashSet};
use std::io::Read as _;
use std::path::Path;

use cloacina_core::WorkflowError;
use flate2::read::MultiGzDecoder;
use serde_json::{Map, Value};

/// A workflow as a file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Where it was read; for messages.
    pub file: String,
    /// Its name.
    pub name: String,
    /// Its description; empty if there is none.
    pub description: String,
    /// Its tasks, in the order of the file.
    pub tasks: Vec<TaskSpec>,
}

/// A task as a file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSpec {
    /// Its id.
    pub id: String,
    /// Its name, which several tasks may share.
    pub name: String,
    /// The ids of the tasks that it depends on, each once: its `parents`, then those that call it their child.
    pub parents: Vec<String>,
    /// How long it ran, in seconds; 0 if that was not recorded.
    pub runtime_s: f64,
}

/// A file cannot be used as a workflow. Its text names the file, the place in it, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read, or is not what its gzip header promises.
    #[error("{file}: cannot be read: {source}")]
    Io {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not JSON.
    #[error("{file}: is not JSON: {source}")]
    Json {
        /// The file.
        file: String,
        /// Why, with line and column.
        source: serde_json::Error,
    },
    /// It is JSON, and not WfFormat.
    #[error("{file}: {place}: {what}")]
    Malformed {
        /// The file.
        file: String,
        /// The path within the document.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// It is WfFormat, and the tasks do not form a DAG.
    #[error("{file}: {place}: {source}")]
    NotADag {
        /// The file.
        file: String,
        /// The path within the document.
        place: String,
        /// What the engine says.
        source: WorkflowError,
    },
}

impl Instance {
    /// Counts the dependencies.
    #[must_use]
    pub fn edges(&self) -> usize {
        self.tasks.iter().map(|task| task.parents.len()).sum()
    }
}

/// Reads the small instance that comes with the examples: a morning in a bakery.
///
/// # Errors
///
/// None, as long as the tests pass.
pub fn bakery() -> Result<Instance, FileError> {
    parse("bakery.json (built in)", include_bytes!("../../data/bakery.json"))
}

/// Reads an instance from a file.
///
/// # Errors
///
/// A [`FileError`].
pub fn read(path: &Path) -> Result<Instance, FileError> {
    let file = path.display().to_string();
    let bytes =
        std::fs::read(path).map_err(|source| FileError::Io { file: file.clone(), source })?;
    parse(&file, &bytes)
}

/// Reads an instance from the content of a file. What begins with gzip's magic bytes is unpacked first.
///
/// # Errors
///
/// A [`FileError`].
pub fn parse(file: &str, bytes: &[u8]) -> Result<Instance, FileError> {
    let document: Result<Value, _> = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = Vec::new();
        MultiGzDecoder::new(bytes)
            .read_to_end(&mut text)
            .map_err(|source| FileError::Io { file: file.to_owned(), source })?;
        serde_json::from_slice(&text)
    } else {
        serde_json::from_slice(bytes)
    };
    let document = document.map_err(|source| FileError::Json { file: file.to_owned(), source })?;
    instance(file, &document).map_err(|Fault { place, what }| FileError::Malformed {
        file: file.to_owned(),
        place,
        what,
    })
}

/// Something is wrong at a place in the document.
struct Fault {
    place: String,
    what: String,
}

fn fault(place: impl Into<String>, what: impl Into<String>) -> Fault {
    Fault { place: place.into(), what: what.into() }
}

fn instance(file: &str, document: &Value) -> Result<Instance, Fault> {
    const SPECIFICATION: &str = "workflow.specification.tasks";
    const EXECUTION: &str = "workflow.execution.tasks";
    let document = object("the document", document)?;
    let name = text("name", required("name", document, "name")?)?;
    let description = optional(document, "description");
    let description = description.map_or(Ok(""), |value| text("description", value))?;
    let workflow = object("workflow", required("workflow", document, "workflow")?)?;
    let Some(specification) = optional(workflow, "specification") else {
        let version = document.get("schemaVersion").map_or("none".to_owned(), Value::to_string);
        let what =
            format!("missing; this reads WfFormat 1.5, the file's schemaVersion is {version}");
        return Err(fault("workflow.specification", what));
    };
    let specification = object("workflow.specification", specification)?;
    let specified = array(SPECIFICATION, required(SPECIFICATION, specification, "tasks")?)?;
    let mut tasks = Vec::with_capacity(specified.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(specified.len());
    for (index, task) in specified.iter().enumerate() {
        let task = task_spec(&format!("{SPECIFICATION}[{index}]"), task)?;
        places.entry(task.id.clone()).or_insert(index);
        tasks.push(task);
    }
    children(SPECIFICATION, specified, &places, &mut tasks)?;
    if let Some(execution) = optional(workflow, "execution") {
        let execution = object("workflow.execution", execution)?;
        if let Some(recorded) = optional(execution, "tasks") {
            run_times(EXECUTION, array(EXECUTION, recorded)?, &places, &mut tasks)?;
        }
    }
    for task in &mut tasks {
        let mut seen = HashSet::new();
        task.parents.retain(|parent| seen.insert(parent.clone()));
    }
    let (name, description) = (name.to_owned(), description.to_owned());
    Ok(Instance { file: file.to_owned(), name, description, tasks })
}

fn task_spec(place: &str, task: &Value) -> Result<TaskSpec, Fault> {
    let task = object(place, task)?;
    let at = format!("{place}.id");
    let id = text(&at, required(&at, task, "id")?)?;
    let name = optional(task, "name");
    let name = name.map_or(Ok(id), |value| text(&format!("{place}.name"), value))?;
    Ok(TaskSpec {
        id: id.to_owned(),
        name: name.to_owned(),
        parents: ids(&format!("{place}.parents"), optional(task, "parents"))?,
        runtime_s: 0.0,
    })
}

/// Adds the dependencies that stand at the parent, as its `children`.
fn children(
    place: &str,
    specified: &[Value],
    places: &HashMap<String, usize>,
    tasks: &mut [TaskSpec],
) -> Result<(), Fault> {
    for (index, task) in specified.iter().enumerate() {
        let at = format!("{place}[{index}].children");
        for child in ids(&at, task.get("children").filter(|value| !value.is_null()))? {
            let Some(&child) = places.get(&child) else {
                return Err(fault(at, format!("task `{child}` is not in {place}")));
            };
            let parent = tasks[index].id.clone();
            tasks[child].parents.push(parent);
        }
    }
    Ok(())
}

fn run_times(
    place: &str,
    recorded: &[Value],
    places: &HashMap<String, usize>,
    tasks: &mut [TaskSpec],
) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    for (index, record) in recorded.iter().enumerate() {
        let record = object(&format!("{place}[{index}]"), record)?;
        let at = format!("{place}[{index}].id");
        let id = text(&at, required(&at, record, "id")?)?;
        let Some(&task) = places.get(id) else {
            return Err(fault(at, format!("task `{id}` is not in workflow.specification.tasks")));
        };
        if !seen.insert(id) {
            return Err(fault(at, format!("task `{id}` is in {place} twice")));
        }
        if let Some(value) = optional(record, "runtimeInSeconds") {
            let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0);
            tasks[task].runtime_s = seconds.ok_or_else(|| {
                let what =
                    format!("expected a number of seconds from 0 up, found {}", brief(value));
                fault(format!("{place}[{index}].runtimeInSeconds"), what)
            })?;
        }
    }
    Ok(())
}

fn required<'a>(place: &str, map: &'a Map<String, Value>, key: &str) -> Result<&'a Value, Fault> {
    map.get(key).ok_or_else(|| fault(place, "missing"))
}

/// Takes `null` for absent.
fn optional<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

fn object<'a>(place: &str, value: &'a Value) -> Result<&'a Map<String, Value>, Fault> {
    let what = || fault(place, format!("expected an object, found {}", brief(value)));
    value.as_object().ok_or_else(what)
}

fn array<'a>(place: &str, value: &'a Value) -> Result<&'a [Value], Fault> {
    let what = || fault(place, format!("expected an array, found {}", brief(value)));
    value.as_array().map(Vec::as_slice).ok_or_else(what)
}

fn text<'a>(place: &str, value: &'a Value) -> Result<&'a str, Fault> {
    value.as_str().ok_or_else(|| fault(place, format!("expected a text, found {}", brief(value))))
}

fn ids(place: &str, value: Option<&Value>) -> Result<Vec<String>, Fault> {
    let items = value.map_or(Ok(&[][..]), |value| array(place, value))?;
    let id = |(index, item)| text(&format!("{place}[{index}]"), item).map(str::to_owned);
    items.iter().enumerate().map(id).collect()
}

/// Shows a value, or what it is if that would be long.
fn brief(value: &Value) -> String {
    match value {
        Value::Object(_) => "an object".to_owned(),
        Value::Array(_) => "an array".to_owned(),
        Value::String(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
        other => other.to_string(),
    }
}
