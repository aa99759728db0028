//! Which files are taken, and what becomes of those that are not.

use std::path::Path;

use cloacina_core::backend::Checkpoint;
use cloacina_core::{
    Backend as _, BackendError, Connect as _, ConnectOptions, ExecutionQuery, PipelineStatus,
};
use cloacina_sqlite::{SqliteBackend, SqliteOptions, Synchronous};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Executor as _};

use crate::support::{
    LONG, checkpoint, commit, end, finish, folder_of, new_execution, number, open, place, raw,
    refused, submit, worker,
};

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_can_read_the_files() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    worker(&backend, LONG).await;
    submit(&backend, new_execution(None)).await;
    let names = folder_of(&path);
    assert_eq!(names.len(), 4, "the database, its log and index, a lock: {names:?}");
    for name in names {
        assert_eq!(mode(&path.with_file_name(&name)), 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_new_file_is_marked_and_durable() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    assert_eq!(backend.path(), path);
    backend.close().await;
    assert_eq!(folder_of(&path), ["app.db"], "the log is gone after a clean end");
    let mut connection = raw(&path).await;
    assert_eq!(number(&mut connection, "PRAGMA application_id").await, 0x436c_6f61);
    assert_eq!(number(&mut connection, "PRAGMA user_version").await, 3);
    let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
    assert_eq!(number(&mut connection, tables).await, 6);
    let strict = "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND strict";
    assert_eq!(number(&mut connection, strict).await, 6);
}

#[tokio::test]
async fn an_empty_file_and_an_empty_database_are_taken() {
    let (_folder, path) = place();
    std::fs::write(&path, "").unwrap();
    open(&path).await.close().await;
    let other = path.with_file_name("other.db");
    let mut connection = raw(&other).await;
    connection.execute("CREATE TABLE t (x)").await.unwrap();
    connection.execute("DROP TABLE t").await.unwrap();
    connection.close().await.unwrap();
    assert!(std::fs::metadata(&other).unwrap().len() > 0);
    open(&other).await.close().await;
}

/// Opens a file that must be refused, and makes sure that nothing came of it.
async fn untouched(path: &Path) -> String {
    let before = (folder_of(path), std::fs::read(path).unwrap());
    let text = refused(SqliteOptions::new(path)).await;
    assert!(text.contains(path.to_str().unwrap()), "{text}");
    let after = (folder_of(path), std::fs::read(path).unwrap());
    assert_eq!(before.0, after.0, "{text}");
    assert!(before.1 == after.1, "the file changed: {text}");
    text
}

#[tokio::test]
async fn a_file_that_is_no_database_is_left_alone() {
    for content in ["x", "dear diary", &"lorem ipsum ".repeat(1000)] {
        let (_folder, path) = place();
        std::fs::write(&path, content).unwrap();
        let text = untouched(&path).await;
        assert!(text.contains("not a SQLite database"), "{text}");
    }
}

#[tokio::test]
async fn a_database_of_another_program_is_left_alone() {
    for journal in ["PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL"] {
        let (_folder, path) = place();
        let mut connection = raw(&path).await;
        connection.execute(journal).await.unwrap();
        connection.execute("CREATE TABLE theirs (x)").await.unwrap();
        connection.close().await.unwrap();
        let text = untouched(&path).await;
        assert!(text.contains("another program"), "{text}");
    }
}

#[tokio::test]
async fn a_database_that_another_program_is_writing_is_left_alone() {
    let (_folder, path) = place();
    let mut connection = raw(&path).await;
    connection.execute("PRAGMA journal_mode = WAL").await.unwrap();
    connection.execute("CREATE TABLE theirs (x)").await.unwrap();
    // What they wrote is in the log only.
    let text = untouched(&path).await;
    assert!(text.contains("another program"), "{text}");
    connection.execute("INSERT INTO theirs VALUES (1)").await.unwrap();
    assert_eq!(number(&mut connection, "SELECT count(*) FROM theirs").await, 1);
}

#[tokio::test]
async fn a_file_of_the_first_version_is_brought_up_to_date_with_what_it_holds() {
    let (_folder, path) = place();
    let mut connection = raw(&path).await;
    let first = include_str!("../../migrations/0001_initial.sql");
    connection.execute(sqlx::AssertSqlSafe(first)).await.unwrap();
    let marks = "PRAGMA application_id = 0x436c6f61; PRAGMA user_version = 1;";
    connection.execute(marks).await.unwrap();
    connection.close().await.unwrap();
    let backend = open(&path).await;
    let worker = worker(&backend, LONG).await;
    submit(&backend, new_execution(Some(worker))).await;
    backend.close().await;
    let mut connection = raw(&path).await;
    assert_eq!(number(&mut connection, "PRAGMA user_version").await, 3);
    let (_folder, path) = place();
    open(&path).await.close().await;
    let schema = "SELECT name, sql FROM sqlite_schema ORDER BY name";
    let schema_of = async |connection: &mut SqliteConnection| -> Vec<(String, Option<String>)> {
        sqlx::query_as(schema).fetch_all(connection).await.unwrap()
    };
    assert_eq!(schema_of(&mut connection).await, schema_of(&mut raw(&path).await).await);
}

#[tokio::test]
async fn what_no_program_writes_is_refused_by_the_tables() {
    let (_folder, path) = place();
    let backend = open(&path).await;
    let worker = worker(&backend, LONG).await;
    let new = new_execution(Some(worker));
    let ended = Checkpoint {
        tasks: vec![end("a")],
        finish: finish(PipelineStatus::Completed),
        ..checkpoint(new.id, worker, 1)
    };
    submit(&backend, new).await;
    commit(&backend, ended).await;
    let mut connection = raw(&path).await;
    for change in [
        "UPDATE executions SET status = 'lost'",
        "UPDATE executions SET status = 'running'",
        "UPDATE executions SET id = x'00'",
        "UPDATE tasks SET state = 'running'",
        "UPDATE tasks SET skip_kind = 'whim'",
        "UPDATE tasks SET execution_id = zeroblob(16)",
        "INSERT INTO attempts SELECT id, 't', 1, 1, 'done', 'shared', 0, NULL, NULL, NULL, NULL FROM executions",
        "INSERT INTO attempts SELECT id, 't', 1, 1, 'running', 'many', 0, NULL, NULL, NULL, NULL FROM executions",
    ] {
        let error = connection.execute(change).await.unwrap_err().to_string();
        assert!(error.contains("constraint failed"), "{change}: {error}");
    }
    let right = "UPDATE executions SET status = 'failed'";
    assert_eq!(connection.execute(right).await.unwrap().rows_affected(), 1);
    backend.close().await;
}

#[tokio::test]
async fn a_newer_version_is_left_alone() {
    let (_folder, path) = place();
    open(&path).await.close().await;
    let mut connection = raw(&path).await;
    connection.execute("PRAGMA user_version = 7").await.unwrap();
    connection.close().await.unwrap();
    let text = untouched(&path).await;
    assert!(text.contains("version 7") && text.contains("up to 3"), "{text}");
}

#[tokio::test]
async fn a_newer_version_that_is_in_the_log_only_is_refused() {
    let (_folder, path) = place();
    open(&path).await.close().await;
    let mut connection = raw(&path).await;
    connection.execute("PRAGMA user_version = 7").await.unwrap();
    let text = untouched(&path).await;
    assert!(text.contains("version 7"), "{text}");
}

#[tokio::test]
async fn folders_and_missing_files_are_named() {
    let (folder, path) = place();
    let text = refused(SqliteOptions::new(folder.path())).await;
    assert!(text.contains("is a folder"), "{text}");
    let text = refused(SqliteOptions::new(path.with_file_name("no").join("app.db"))).await;
    assert!(text.contains("its folder does not exist"), "{text}");
    for options in [SqliteOptions::new(&path).must_exist(), SqliteOptions::new(&path).read_only()] {
        let text = refused(options).await;
        assert!(text.contains("does not exist"), "{text}");
    }
    assert!(folder_of(&path).is_empty());
}

#[tokio::test]
async fn a_read_only_handle_reads_and_refuses_to_write() {
    let (_folder, path) = place();
    let writer = open(&path).await;
    submit(&writer, new_execution(None)).await;
    let url = format!("sqlite://{}?mode=ro", path.display());
    let reader = SqliteBackend::connect(ConnectOptions::new(url)).await.unwrap();
    assert_eq!(reader.list(&ExecutionQuery::new()).await.unwrap().len(), 1);
    let batch = cloacina_core::backend::Batch {
        submits: vec![new_execution(None)],
        checkpoints: Vec::new(),
    };
    let error = reader.commit(batch.into()).await.unwrap_err();
    assert!(matches!(error, BackendError::Refused { .. }), "{error:?}");
    let named = error.to_string().starts_with(&format!("`{}` may not be written", path.display()));
    assert!(named, "the error does not name the file: {error}");
    reader.close().await;
    submit(&writer, new_execution(None)).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_without_write_permission_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_folder, path) = place();
    open(&path).await.close().await;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    // Permissions do not bind root.
    let is_root = std::fs::OpenOptions::new().append(true).open(&path).is_ok();
    match SqliteBackend::open(SqliteOptions::new(&path)).await {
        Ok(backend) => {
            assert!(is_root);
            backend.close().await;
        }
        Err(error) => {
            assert!(!is_root);
            assert!(matches!(error, BackendError::Refused { .. }), "{error:?}");
            assert!(error.to_string().contains("app.db"), "{error}");
        }
    }
}

#[tokio::test]
async fn addresses_are_checked() {
    let (_folder, path) = place();
    let url = |query: &str| format!("sqlite://{}{query}", path.display());
    for (query, name) in [("?foo=1", "`foo`"), ("?mode=rwc&synchronous=NORMAL", "SqliteOptions")] {
        let error = SqliteBackend::connect(ConnectOptions::new(url(query))).await.unwrap_err();
        assert!(matches!(error, BackendError::Config { .. }), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let mut options = ConnectOptions::new(url(""));
    options.schema = Some("acme".to_owned());
    let error = SqliteBackend::connect(options).await.unwrap_err();
    assert!(error.to_string().contains("one file a tenant"), "{error}");
    assert!(folder_of(&path).is_empty(), "nothing was created");
    SqliteBackend::connect(ConnectOptions::new(url("?mode=rwc"))).await.unwrap().close().await;
}

#[tokio::test]
async fn names_that_look_like_addresses_are_names() {
    let (folder, _) = place();
    for name in ["file:app.db?mode=memory", "100%.db", "a#b?.db"] {
        let backend = open(&folder.path().join(name)).await;
        submit(&backend, new_execution(None)).await;
        backend.close().await;
        assert!(folder.path().join(name).is_file(), "{name}");
    }
}

#[tokio::test]
async fn the_durability_can_be_relaxed() {
    let (_folder, path) = place();
    let options = SqliteOptions::new(&path).synchronous(Synchronous::Normal);
    let backend = SqliteBackend::open(options).await.unwrap();
    let owner = worker(&backend, LONG).await;
    let new = new_execution(Some(owner));
    let id = new.id;
    submit(&backend, new).await;
    commit(&backend, checkpoint(id, owner, 1)).await;
    backend.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_open_one_new_file_at_once() {
    for _ in 0..5 {
        let (_folder, path) = place();
        let openers: Vec<_> = (0..20)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                    runtime.block_on(async {
                        let backend = open(&path).await;
                        submit(&backend, new_execution(None)).await;
                        backend.close().await;
                    });
                })
            })
            .collect();
        for opener in openers {
            tokio::task::spawn_blocking(|| opener.join()).await.unwrap().unwrap();
        }
        let backend = open(&path).await;
        assert_eq!(backend.counts().await.unwrap().pending, 20);
        backend.close().await;
        let mut connection = raw(&path).await;
        let broken = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'";
        assert_eq!(number(&mut connection, broken).await, 0);
    }
}
