//! What must hold whatever the input. The fuzz targets in `fuzz/` call these functions; so does the test that feeds them the
//! inputs which are kept in `fuzz/corpus`.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use cloacina_core::{BackendError, Context, ExecutionId, ExecutorConfig, TenantId};
use cloacina_examples::wf::{self, Bodies, Instance};
use cloacina_postgres::PostgresOptions;
use cloacina_sqlite::SqliteOptions;
use serde_json::{Value, json};

/// A context that is read is written as what reads back to the same, to the bit.
pub(crate) fn check_context(bytes: &[u8]) {
    let Ok(context) = serde_json::from_slice::<Context>(bytes) else { return };
    let text = serde_json::to_string(&context).unwrap();
    let back: Context = serde_json::from_str(&text).unwrap();
    assert_eq!(back, context, "{text}");
    // `-0.0 == 0.0`: the text tells them apart.
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    let value = context.clone().into_value();
    assert_eq!(Context::from_value(value).unwrap(), context, "{text}");
    for (key, value) in &context {
        let one: Value = context.get_as(key).unwrap();
        assert_eq!(&one, value, "{key:?}");
    }
}

/// An instance that is read is written as what reads back to the same; a workflow of it has all its tasks and edges, in order.
pub(crate) fn check_wf(bytes: &[u8]) {
    let instance = match wf::parse("f", bytes) {
        Ok(instance) => instance,
        Err(error) => return assert!(error.to_string().starts_with("f: "), "{error}"),
    };
    let back = wf::parse("f", write(&instance).to_string().as_bytes()).unwrap();
    assert_eq!(back, instance);
    let workflow = match wf::workflow(&instance, 0.0, &Bodies::default()) {
        Ok(workflow) => workflow,
        Err(error) => return assert!(error.to_string().starts_with("f: "), "{error}"),
    };
    assert_eq!(workflow.name(), instance.name);
    assert_eq!(workflow.tasks().len(), instance.tasks.len());
    let mut before = HashSet::new();
    for task in workflow.tasks() {
        assert!(task.dependencies().iter().all(|id| before.contains(id)), "{task:?} is too early");
        assert!(before.insert(task.id().clone()), "{task:?} is there twice");
    }
    let edges: usize = workflow.tasks().iter().map(|task| task.dependencies().len()).sum();
    assert_eq!(edges, instance.edges());
}

fn write(instance: &Instance) -> Value {
    let spec =
        |task: &wf::TaskSpec| json!({"id": task.id, "name": task.name, "parents": task.parents});
    let mut seen = HashSet::new();
    // Of tasks with one id, run times are recorded for the first.
    let first = instance.tasks.iter().filter(|task| seen.insert(&task.id));
    let run = |task: &wf::TaskSpec| json!({"id": task.id, "runtimeInSeconds": task.runtime_s});
    json!({
        "name": instance.name,
        "description": instance.description,
        "workflow": {
            "specification": {"tasks": instance.tasks.iter().map(spec).collect::<Vec<_>>()},
            "execution": {"tasks": first.map(run).collect::<Vec<_>>()},
        },
    })
}

/// An address of SQLite names the file that it spells, or is refused as a mistake of the caller; any name can be spelt.
pub(crate) fn check_sqlite_url(text: &str) {
    match SqliteOptions::from_url(text) {
        Ok(options) => {
            let rest = text.split_once(':').unwrap().1;
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            let path = decode(rest.split('?').next().unwrap_or_default());
            let path = String::from_utf8(path).unwrap();
            assert!(!path.is_empty() && !path.contains('\0'), "{text:?}");
            assert!(shows(&options, &path), "{text:?}: {options:?}");
        }
        Err(error) => assert!(matches!(error, BackendError::Config { .. }), "{text:?}: {error:?}"),
    }
    if !text.is_empty() && !text.contains('\0') && !text.contains(":memory:") {
        let options = SqliteOptions::from_url(&format!("sqlite://{}", encode(text))).unwrap();
        assert!(shows(&options, text), "{text:?}: {options:?}");
    }
}

fn shows(options: &SqliteOptions, path: &str) -> bool {
    format!("{options:?}").contains(&format!("path: {:?}, mode: ", Path::new(path)))
}

/// An address of PostgreSQL is read or refused as a mistake of the caller, and never shown with its password, wherever a
/// mistake in that puts it; any password can be spelt.
pub(crate) fn check_postgres_url(text: &str) {
    const SECRET: &str = "hunter2";
    let free = |shown: &str| assert!(!shown.contains(SECRET) || text.contains(SECRET), "{shown}");
    let urls = [
        text.to_owned(),
        format!("postgresql://u:{SECRET}{text}@h/db"),
        format!("postgresql://u:{text}{SECRET}@h/db"),
        format!("postgresql://u@h/db?{text}={SECRET}"),
    ];
    for url in urls {
        match PostgresOptions::from_url(&url) {
            // Host, port and database are shown: they are no secret where they are named as such.
            Ok(options) => drop(format!("{options:?}")),
            Err(error) => {
                assert!(matches!(error, BackendError::Config { .. }), "{url:?}: {error:?}");
                free(&format!("{error} {error:?}"));
            }
        }
    }
    if !text.contains('\0') {
        let url = format!("postgresql://u:{SECRET}{}@h/db", encode(text));
        free(&format!("{:?}", PostgresOptions::from_url(&url).unwrap()));
    }
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        // Writing to a text does not fail.
        let _ = write!(encoded, "%{byte:02x}");
        encoded
    })
}

/// Decodes what is well formed.
fn decode(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        decoded.push(u8::from_str_radix(&part[..2], 16).unwrap());
        decoded.extend_from_slice(&part.as_bytes()[2..]);
    }
    decoded
}

/// A name is taken as it is if and only if it keeps all rules; an error shows no more than its beginning.
pub(crate) fn check_names(text: &str) {
    let allowed = |dash: bool| {
        let is_allowed =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || dash && c == '-';
        (1..=48).contains(&text.len())
            && text.chars().all(is_allowed)
            && text.starts_with(char::is_alphabetic)
            && !text.starts_with("pg_")
            && !["public", "information_schema"].contains(&text)
    };
    let device = matches!(text, "con" | "prn" | "aux" | "nul")
        || text.len() == 4
            && (text.starts_with("com") || text.starts_with("lpt"))
            && text.ends_with(|c: char| c.is_ascii_digit());
    match TenantId::new(text) {
        Ok(tenant) => {
            assert!(allowed(true) && !device && text != "cloacina_admin", "{text:?}");
            assert_eq!(tenant.to_string(), text);
            let json = serde_json::to_string(&tenant).unwrap();
            assert_eq!(serde_json::from_str::<TenantId>(&json).unwrap(), tenant);
        }
        Err(error) => {
            assert!(!allowed(true) || device || text == "cloacina_admin", "{text:?}: {error}");
            assert!(error.to_string().len() < 1_000, "{error}");
        }
    }
    let options = PostgresOptions::from_url("postgresql://h/db").unwrap();
    match options.schema(text) {
        Ok(options) => {
            assert!(allowed(false), "{text:?}");
            assert!(format!("{options:?}").contains(&format!("schema: \"{text}\"")), "{options:?}");
        }
        Err(error) => {
            assert!(!allowed(false), "{text:?}: {error}");
            assert!(error.to_string().len() < 1_000, "{error}");
        }
    }
    if let Ok(id) = text.parse::<ExecutionId>() {
        assert_eq!(id.to_string().parse::<ExecutionId>(), Ok(id), "{text:?}");
    }
}

/// Settings that are read and checked can be written and read again, and none of their durations overflows a clock.
pub(crate) fn check_settings(bytes: &[u8]) {
    let Ok(config) = serde_json::from_slice::<ExecutorConfig>(bytes) else { return };
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<ExecutorConfig>(&text).unwrap(), config, "{text}");
    if config.validate().is_ok() {
        let now = std::time::Instant::now();
        let limits = [config.task_timeout, config.lease_ttl, config.poll_interval];
        let others = [config.cancel_grace, config.shutdown_grace];
        for limit in limits.into_iter().chain(others).chain(config.pipeline_timeout) {
            assert!(now.checked_add(limit * 2).is_some(), "{limit:?}");
        }
    }
}
