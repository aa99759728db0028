//! Every statement, by table and verb, written once and rendered for a schema.

use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

use crate::schema::SchemaName;
use crate::sessions::Sessions;

macro_rules! statements {
    ($($name:ident = $file:literal;)*) => {
        /// The statements of one schema.
        pub(crate) struct Queries {
            $(pub(crate) $name: Statement,)*
        }

        impl Queries {
            /// Renders the statements for a schema.
            pub(crate) fn new(schema: &SchemaName, sessions: Sessions) -> Self {
                Self {
                    $($name: Statement {
                        sql: render(include_str!(concat!("../queries/", $file, ".sql")), schema),
                        sessions,
                    },)*
                }
            }

            /// Lists the statements with their files.
            #[cfg(test)]
            fn all(&self) -> Vec<(&'static str, SqlStr)> {
                vec![$(($file, self.$name.sql.clone())),*]
            }
        }
    };
}

/// A statement of one schema.
#[derive(Clone)]
pub(crate) struct Statement {
    sql: SqlStr,
    sessions: Sessions,
}

impl Statement {
    /// Makes a query of it. It stays prepared where the session is our own; elsewhere it would get in the way of others.
    pub(crate) fn query<'q>(&self) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(self.sql.clone()).persistent(self.sessions == Sessions::Own)
    }
}

statements! {
    attempts_acquit = "attempts/acquit";
    attempts_end_all = "attempts/end_all";
    attempts_fail = "attempts/fail";
    attempts_load = "attempts/load";
    attempts_release = "attempts/release";
    attempts_start = "attempts/start";
    events_acquit = "events/acquit";
    events_control = "events/control";
    events_insert = "events/insert";
    events_load = "events/load";
    events_recover = "events/recover";
    executions_acquit = "executions/acquit";
    executions_adopt = "executions/adopt";
    executions_by_key = "executions/by_key";
    executions_claim = "executions/claim";
    executions_claimable = "executions/claimable";
    executions_claimable_by_id = "executions/claimable_by_id";
    executions_commit = "executions/commit";
    executions_control = "executions/control";
    executions_count = "executions/count";
    executions_delete = "executions/delete";
    executions_insert = "executions/insert";
    executions_list = "executions/list";
    executions_load = "executions/load";
    executions_lock = "executions/lock";
    executions_lock_owned = "executions/lock_owned";
    executions_next_due = "executions/next_due";
    executions_next_due_by_id = "executions/next_due_by_id";
    executions_outlook = "executions/outlook";
    executions_ownerless = "executions/ownerless";
    executions_prunable = "executions/prunable";
    executions_recover = "executions/recover";
    executions_release = "executions/release";
    executions_release_all = "executions/release_all";
    executions_standing = "executions/standing";
    executions_update = "executions/update";
    sessions_tell = "sessions/tell";
    sessions_try_lock = "sessions/try_lock";
    tasks_copy = "tasks/copy";
    tasks_delete = "tasks/delete";
    tasks_insert = "tasks/insert";
    tasks_load = "tasks/load";
    workers_delete = "workers/delete";
    workers_exists = "workers/exists";
    workers_halt = "workers/halt";
    workers_lease = "workers/lease";
    workers_list = "workers/list";
    workers_lock = "workers/lock";
    workers_lock_suspect = "workers/lock_suspect";
    workers_peers = "workers/peers";
    workers_prove = "workers/prove";
    workers_register = "workers/register";
    workers_renew = "workers/renew";
    workers_unprove = "workers/unprove";
    workflows_define = "workflows/define";
    workflows_structure = "workflows/structure";
    workflows_unknown = "workflows/unknown";
}

/// Puts the quoted name of a schema into a statement. The one place where SQL is made of a text.
pub(crate) fn render(statement: &str, schema: &SchemaName) -> SqlStr {
    AssertSqlSafe(statement.replace("{schema}", &schema.to_string())).into_sql_str()
}

#[cfg(test)]
mod tests {
    use cloacina_testing::postgres::{schema_name, server};
    use sqlx::{ConnectOptions as _, Executor as _};

    use super::*;
    use crate::PostgresOptions;

    #[tokio::test]
    async fn every_statement_can_be_prepared_on_a_migrated_schema() {
        let schema = SchemaName::tenant(&schema_name()).unwrap();
        let options = PostgresOptions::from_url(server().url()).unwrap();
        let mut connection = options.connect.connect().await.unwrap();
        crate::migrate::migrate(&mut connection, &schema, None, crate::migrate::Missing::Create)
            .await
            .unwrap();
        for (file, statement) in Queries::new(&schema, Sessions::Own).all() {
            assert!(!statement.as_str().contains("{schema}"), "{file} is not rendered");
            let prepared = connection.prepare(statement).await;
            assert!(prepared.is_ok(), "{file}: {}", prepared.unwrap_err());
        }
    }
}
