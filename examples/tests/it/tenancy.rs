//! `multi_tenant`, run as a user runs it.

use std::fs;
use std::process::Command;

use crate::program::{example, run};

const VERDICT: &str = "\nall was as it should be\n";

/// Runs it, and returns what it said once it is sure that all went well.
fn show(command: &mut Command) -> String {
    let (said, output) = run(command);
    assert!(output.status.success(), "{said}");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.ends_with(VERDICT), "{said}");
    assert!(output.stderr.is_empty() && !told.contains("NOT"), "{said}");
    for step in 1..=6 {
        assert!(told.contains(&format!("\n\n{step}. ")), "{said}");
    }
    for what in [
        "ran there: meter, price; ran here: price, send",
        "tenant `demo_initech` does not exist",
        "tenant name \"../demo_globex\" is refused",
        "by an id: execution ",
        "\n  demo_globex      9       0          8       1 ",
    ] {
        assert!(told.contains(what), "{what}: {said}");
    }
    said
}

#[test]
fn tenants_in_a_folder_are_walled_off_run_after_run() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let said = show(example("multi_tenant").arg("--folder").arg(folder.path()));
        assert!(said.contains("is a symbolic link, which is not followed"), "{said}");
        #[cfg(unix)]
        assert!(said.contains("`demo_acme.db`, mode 0600"), "{said}");
        assert!(folder.path().join("demo_globex.db").exists());
        assert!(!folder.path().join("demo_initech.db").exists());
    }
}

#[test]
fn a_folder_that_nobody_named_is_removed() {
    let said = show(&mut example("multi_tenant"));
    let line = said.lines().next().unwrap();
    let folder = line.strip_prefix("tenants live in ").unwrap();
    assert!(!fs::exists(folder).unwrap(), "{said}");
}

#[cfg(unix)]
#[test]
fn tenants_in_a_database_are_walled_off_run_after_run() {
    let url = cloacina_testing::postgres::server().url();
    let password = url.rsplit_once('@').unwrap().0.rsplit(':').next().unwrap();
    for _ in 0..2 {
        let arguments = ["--backend", "postgres", "--database", url];
        let said = show(example("multi_tenant").args(arguments));
        assert!(said.contains("permission denied for schema demo_globex"), "{said}");
        assert!(said.contains("nobody logs in as it any more"), "{said}");
        // Neither the admin's nor a tenant's.
        assert!(!said.contains(password) && !said.contains("postgresql://"), "{said}");
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    for arguments in [
        &["--database", "postgresql://me:secret@host/app"][..],
        &["--backend", "postgres", "--folder", "x"],
        &["--backend", "postgres", "--database", "mysql://me:secret@host/app"],
        &["--backend", "mysql"],
    ] {
        let (said, output) = run(example("multi_tenant").args(arguments));
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: ") && !said.contains("secret"), "{said}");
    }
    let url = "postgresql://me:secret@127.0.0.1";
    let arguments = ["--backend", "postgres", "--database", url];
    let (said, output) = run(example("multi_tenant").args(arguments));
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("names no database") && !said.contains("secret"), "{said}");
}
