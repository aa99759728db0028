//! The program, as a process: its settings, its logs, its end and what comes after.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use crate::client::Client;
use crate::{OPERATOR, Tenant};

/// A process of the service; ended when it is dropped.
pub(crate) struct Process {
    child: Child,
    said: BufReader<ChildStdout>,
    pub(crate) client: Client,
    pub(crate) url: String,
}

impl Process {
    /// Starts one on that folder; what it logs goes into a file there.
    pub(crate) async fn start(folder: &Path, arguments: &[&str]) -> Self {
        let log = File::create(folder.join("log")).unwrap();
        let mut child = program(folder)
            .args(arguments)
            .env("OPERATOR_TOKEN", OPERATOR)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let url = next_line(&mut said, "listening on ").unwrap_or_else(|line| {
            panic!("{line}{}", std::fs::read_to_string(folder.join("log")).unwrap())
        });
        let client = Client::new(url.strip_prefix("http://").unwrap().parse().unwrap()).await;
        Self { child, said, client, url }
    }

    /// Returns what follows these words in the next line that it says.
    pub(crate) fn says(&mut self, words: &str) -> String {
        next_line(&mut self.said, words).unwrap()
    }

    /// Asks it to stop, and waits until it has.
    fn terminate(mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.child.wait().unwrap()
    }

    pub(crate) async fn tenant(&self, name: &str) -> Tenant {
        let operator = self.client.with(OPERATOR);
        let created = operator.post("/tenants").json(&json!({"tenant": name})).send().await;
        let token = created.expect(201)["token"].as_str().unwrap().to_owned();
        Tenant { client: self.client.with(&token), name: name.to_owned(), token }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns what follows these words in the next line, or the line if it begins with others.
fn next_line(said: &mut BufReader<ChildStdout>, words: &str) -> Result<String, String> {
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    line.strip_prefix(words).map(|rest| rest.trim().to_owned()).ok_or(line.clone())
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloacina-web-service"));
    command.args(["--listen", "127.0.0.1:0", "--data"]).arg(folder);
    let variables = [
        "DATABASE_URL",
        "OPERATOR_TOKEN",
        "RUST_LOG",
        "LOG_FORMAT",
        "SHUTDOWN_GRACE",
        "METRICS_LISTEN",
    ];
    for variable in variables {
        command.env_remove(variable);
    }
    command
}

/// The lines of the log, which are JSON.
fn log(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join("log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn work_in_flight_at_sigterm_is_handed_over_and_finished_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["--shutdown-grace", "0"]).await;
    let acme = process.tenant("acme").await;
    let id = acme.start("countdown", &json!({"seconds": 5})).await;
    while acme.show(&id).await["tasks"][1]["status"] != "running" {
        tokio::task::yield_now().await;
    }
    let status = process.terminate();
    assert!(status.success(), "{status}");
    let process = Process::start(folder.path(), &[]).await;
    // Tokens outlive the process, and nobody has to ask for the work to go on.
    let acme = Tenant { client: process.client.with(&acme.token), ..acme };
    let path = acme.path(&format!("executions/{id}/events"));
    let events = acme.client.get(&path).unchecked().await.text();
    assert!(events.contains("event: end"), "{events}");
    let ended = acme.show(&id).await;
    assert_eq!(ended["status"], "completed", "{ended}");
    assert_eq!(ended["context"]["lifted_off"], true);
    let attempts: Vec<_> = (0..3).map(|task| ended["tasks"][task]["attempts"].clone()).collect();
    assert_eq!(attempts[0], 1, "{ended}");
    assert!(process.terminate().success());
}

#[tokio::test]
async fn the_id_of_a_request_is_in_its_lines_and_in_the_spans_of_the_tasks_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["--log-format", "json"]).await;
    let acme = process.tenant("acme").await;
    let submit = acme.submit("countdown", &json!({"seconds": 0}));
    let submit = submit.header("prefer", "wait=60").header("x-request-id", "trace-42");
    let ended = submit.send().await.expect(200);
    let id = &ended["execution_id"];
    assert!(process.terminate().success());
    let log = log(folder.path());
    let line = |message: &str| {
        let found = log.iter().find(|line| {
            line["message"] == message && line["spans"][0]["request_id"] == "trace-42"
        });
        found.unwrap_or_else(|| panic!("no `{message}` in {log:#?}"))
    };
    assert_eq!(&line("submitted")["execution_id"], id);
    assert_eq!(line("answered")["status"], 200);
    let spans = &line("counting down")["spans"];
    assert_eq!(spans[0]["name"], "request");
    assert_eq!(spans[0]["path"], "/tenants/acme/workflows");
    let attempt = json!({
        "name": "attempt", "tenant": "acme", "execution_id": id, "task": "tick", "attempt": 1,
    });
    assert_eq!(spans[1], attempt);
    let text = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(!text.contains(OPERATOR) && !text.contains(&acme.token));
}

#[test]
fn settings_that_are_not_allowed_are_refused_without_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let run = |variable: &str, value: &str| {
        let output = program(folder.path()).env(variable, value).output().unwrap();
        assert!(!output.status.success(), "{variable}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = run("OPERATOR_TOKEN", "hunter2");
    assert!(error.contains("the operator's token has 7 characters") && !error.contains("hunter2"));
    let error = run("SHUTDOWN_GRACE", "soon");
    assert!(error.contains("soon"), "{error}");
}
