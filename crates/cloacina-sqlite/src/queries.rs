//! Every statement, by table and verb.

use crate::values::RowStatement;

macro_rules! statements {
    (one: { $($name:ident = $file:literal;)* } rows: { $($row_name:ident = $row_file:literal;)* }) => {
        $(pub(crate) const $name: &str = include_str!(concat!("../queries/", $file, ".sql"));)*
        $(pub(crate) static $row_name: RowStatement =
            RowStatement::new(include_str!(concat!("../queries/", $row_file, ".sql")));)*

        /// The files, so that a test finds those that nothing uses.
        #[cfg(test)]
        const FILES: &[&str] = &[$($file,)* $($row_file,)*];
    };
}

statements! {
    one: {
        ATTEMPTS_ACQUIT = "attempts/acquit";
        ATTEMPTS_END_ALL = "attempts/end_all";
        ATTEMPTS_LOAD = "attempts/load";
        ATTEMPTS_RELEASE = "attempts/release";
        EVENTS_ACQUIT = "events/acquit";
        EVENTS_CONTROL = "events/control";
        EVENTS_LOAD = "events/load";
        EVENTS_RECOVER = "events/recover";
        EXECUTIONS_ACQUIT = "executions/acquit";
        EXECUTIONS_ADOPT = "executions/adopt";
        EXECUTIONS_BY_KEY = "executions/by_key";
        EXECUTIONS_CLAIM = "executions/claim";
        EXECUTIONS_CLAIMABLE = "executions/claimable";
        EXECUTIONS_CLAIMABLE_BY_ID = "executions/claimable_by_id";
        EXECUTIONS_CONTROL = "executions/control";
        EXECUTIONS_COUNT = "executions/count";
        EXECUTIONS_DELETE = "executions/delete";
        EXECUTIONS_LIST = "executions/list";
        EXECUTIONS_LIST_OWNED = "executions/list_owned";
        EXECUTIONS_LIST_UNOWNED = "executions/list_unowned";
        EXECUTIONS_LOAD = "executions/load";
        EXECUTIONS_NEXT_DUE = "executions/next_due";
        EXECUTIONS_NEXT_DUE_BY_ID = "executions/next_due_by_id";
        EXECUTIONS_OUTLOOK = "executions/outlook";
        EXECUTIONS_OWNERLESS = "executions/ownerless";
        EXECUTIONS_PRUNABLE = "executions/prunable";
        EXECUTIONS_RECOVER = "executions/recover";
        EXECUTIONS_RELEASE = "executions/release";
        EXECUTIONS_RELEASE_ALL = "executions/release_all";
        EXECUTIONS_WORK = "executions/work";
        TASKS_LOAD = "tasks/load";
        WORKERS_REGISTER = "workers/register";
        WORKFLOWS_DEFINE = "workflows/define";
    }
    rows: {
        ATTEMPTS_FAIL = "attempts/fail";
        ATTEMPTS_START = "attempts/start";
        EVENTS_INSERT = "events/insert";
        EXECUTIONS_INSERT = "executions/insert";
        EXECUTIONS_STANDING = "executions/standing";
        EXECUTIONS_UPDATE = "executions/update";
        TASKS_COPY = "tasks/copy";
        TASKS_INSERT = "tasks/insert";
    }
}

pub(crate) const WORKERS_RENEW: &str = "UPDATE workers SET expires_at = ?2 WHERE id = ?1";
pub(crate) const WORKERS_EXISTS: &str =
    "SELECT EXISTS (SELECT 1 FROM workers WHERE id = ?1) AS registered";
pub(crate) const WORKERS_PEERS: &str = "SELECT count(*) AS peers FROM workers WHERE id <> ?1";
pub(crate) const WORKERS_LIST: &str = "SELECT id, expires_at FROM workers WHERE id <> ?1";
pub(crate) const WORKERS_LEASE: &str = "SELECT expires_at FROM workers WHERE id = ?1";
pub(crate) const WORKFLOWS_STRUCTURE: &str =
    "SELECT structure FROM workflows WHERE name = ?1 AND version = ?2";
pub(crate) const WORKERS_DELETE: &str = "DELETE FROM workers WHERE id = ?1";

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::FILES;

    #[test]
    fn every_file_is_used_and_every_statement_is_of_this_module() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("queries");
        let mut found = Vec::new();
        for table in std::fs::read_dir(folder).unwrap() {
            let table = table.unwrap();
            for file in std::fs::read_dir(table.path()).unwrap() {
                let file = file.unwrap().file_name().into_string().unwrap();
                let verb = file.strip_suffix(".sql").unwrap();
                found.push(format!("{}/{verb}", table.file_name().to_str().unwrap()));
            }
        }
        found.sort_unstable();
        let mut used = FILES.to_vec();
        used.sort_unstable();
        assert_eq!(found, used);
    }
}
