//! All recorded instances that lie about, at scale 0. Set `CLOACINA_WF_DIR`, or put them in `../shared/data/wf` beside the
//! workspace.

use std::collections::HashMap;
use std::path::PathBuf;

use cloacina_core::PipelineStatus;
use cloacina_examples::wf::{Bodies, Bounds, Report, read, workflow};

use crate::runs::assert_order;
use crate::{execute, settings};

fn folder() -> PathBuf {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/wf");
    std::env::var_os("CLOACINA_WF_DIR").map_or_else(|| beside.into(), PathBuf::from)
}

/// The rows of `schedules.tsv`: for each instance, its columns by name.
fn schedules(text: &str) -> HashMap<String, HashMap<String, String>> {
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split('\t').collect();
    lines
        .map(|line| {
            let cells = columns.iter().zip(line.split('\t'));
            let row: HashMap<_, _> = cells.map(|(k, v)| ((*k).to_owned(), v.to_owned())).collect();
            (row["name"].clone(), row)
        })
        .collect()
}

#[tokio::test]
async fn all_recorded_instances_run() {
    let folder = folder();
    let Ok(text) = std::fs::read_to_string(folder.join("schedules.tsv")) else {
        println!("skipped: there is no schedules.tsv in {}", folder.display());
        return;
    };
    let mut seen = 0;
    for (name, row) in schedules(&text) {
        let plain = folder.join(format!("{name}.wfformat.json"));
        let packed = folder.join(format!("{name}.wfformat.json.gz"));
        let instance = read(if plain.exists() { &plain } else { &packed }).unwrap();
        let made = workflow(&instance, 1.0, &Bodies::default()).unwrap();
        let bounds = Bounds::new(&instance, &made, 1.0).unwrap();
        for (column, bound) in [
            ("critical_path_s", bounds.critical_path_s),
            ("sequential_s", bounds.total_s),
            ("lb_16", bounds.lower_bound_s(16)),
        ] {
            let expected: f64 = row[column].parse().unwrap();
            assert!((bound - expected).abs() < 0.01, "{name}: {column} is {expected}, not {bound}");
        }
        let database = tempfile::tempdir().unwrap();
        let ended = execute(&instance, &settings(database.path(), false)).await;
        assert_eq!(ended.result.status, PipelineStatus::Completed, "{name}");
        let report = Report::new(&instance, &ended, 16);
        assert_eq!(report.tasks.to_string(), row["tasks"], "{name}");
        assert_eq!(report.edges.to_string(), row["edges"], "{name}");
        assert_eq!(report.completed, report.tasks, "{name}");
        assert_eq!(report.executed_this_run, report.tasks, "{name}");
        assert_order(&instance, &ended);
        seen += 1;
    }
    assert!(seen > 0, "schedules.tsv in {} has no rows", folder.display());
}
