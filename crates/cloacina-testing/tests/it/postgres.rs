//! The throw-away server.

use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cloacina_testing::postgres::{Server, Stop, schema_name};

/// Set for the child that is killed.
const CHILD: &str = "CLOACINA_TEST_CHILD";

fn address(url: &str) -> &str {
    url.rsplit('@').next().and_then(|rest| rest.split('/').next()).unwrap()
}

fn answers(url: &str) -> bool {
    TcpStream::connect(address(url)).is_ok()
}

#[test]
fn a_server_is_there_until_it_is_dropped_and_comes_back_after_a_restart() {
    let (one, other) = (Server::start().unwrap(), Server::start().unwrap());
    assert_ne!(one.url(), other.url());
    one.restart(Stop::Immediate).unwrap();
    assert!(answers(one.url()) && answers(other.url()));
    let url = other.url().to_owned();
    assert!(!format!("{other:?}").contains("postgres:"), "the password is not shown");
    drop(other);
    assert!(!answers(&url));
    assert_ne!(schema_name(), schema_name());
}

/// Run in a child process by the test below.
#[test]
fn child_with_a_server() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let server = Server::start().unwrap();
    eprintln!("url {}", server.url());
    loop {
        std::thread::park();
    }
}

#[test]
fn a_server_is_gone_with_a_process_that_is_killed() {
    let folder = std::env::temp_dir().join(format!("cloacina-killed-{}", std::process::id()));
    std::fs::create_dir(&folder).unwrap();
    // As folders for temporary files are: the server runs as another user if this is root.
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "postgres::child_with_a_server", "--nocapture"])
        .env(CHILD, "1")
        .env("TMPDIR", &folder)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let url = lines.find_map(|line| line.strip_prefix("url ").map(str::to_owned)).unwrap();
    assert!(answers(&url));
    child.kill().unwrap();
    child.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    // The folder can be removed once the server has removed its own.
    while answers(&url) || std::fs::remove_dir(&folder).is_err() {
        assert!(Instant::now() < deadline, "the server of a dead process is still there");
        std::thread::yield_now();
    }
}
