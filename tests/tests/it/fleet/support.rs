//! Fleets for tests: their workers are the program `torture`.

use std::path::Path;

use cloacina_testing::postgres::server;
pub(crate) use cloacina_tests::fleet::{
    Evidence, Fleet, PATIENCE, Worker, check_values, submit, submit_all, until,
};

/// The program that workers are.
pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_torture"))
}

/// Makes a schema on the server of all tests.
pub(crate) async fn fleet() -> Fleet {
    fleet_on(server().url()).await
}

/// Makes a schema on a server.
pub(crate) async fn fleet_on(url: &str) -> Fleet {
    Fleet::on_server(program(), url).await
}
