//! The README's commands, run as they stand.

use std::process::Command;

use crate::OPERATOR;
use crate::process::Process;

/// The address that the README has.
const ADDRESS: &str = "http://127.0.0.1:8080";

#[tokio::test]
async fn the_commands_of_the_readme_do_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &[]).await;
    let readme = include_str!("../../README.md");
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let commands: Vec<_> = blocks.filter(|block| block.contains("curl")).collect();
    assert!(commands.len() >= 3, "the README has lost its commands");
    let script = commands.concat().replace(ADDRESS, &process.url);
    let mut command = Command::new("sh");
    command.args(["-euxc", &script]).env("OPERATOR_TOKEN", OPERATOR).current_dir(folder.path());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{told}");
    for expected in [
        r#""status":"completed""#,
        r#""longest":"lonely""#,
        r#"{"task":"lift_off","reason":{"kind":"dependencies","tasks":["tick"]}}"#,
        "event: end",
        r#""status":"cancelled""#,
        r#""total_executions":"#,
    ] {
        assert!(said.contains(expected), "{expected}: {said}\n{told}");
    }
}
