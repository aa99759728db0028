//! What the tests have in common: databases as a DBA prepares them, and sessions of anybody.

use cloacina_admin::{Database, DatabaseAdmin, TenantConfig, TenantCredentials};
use cloacina_core::{Context, PipelineStatus, TaskError, task, workflow};
use cloacina_postgres::UnifiedExecutor;
use cloacina_testing::postgres::{Server, schema_name};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _};

/// The statements that the document tells a DBA to run.
const DOCUMENT: &str = include_str!("../../../../docs/security.md");

/// The blocks of SQL in the document, in their order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Block {
    Database,
    PublicSchema,
    OtherDatabases,
    Runtime,
    Adoption,
}

/// A database of its own, with an admin of its own.
pub(crate) struct Place {
    pub(crate) server: &'static Server,
    /// Begins the names of all roles.
    pub(crate) name: String,
    pub(crate) database: String,
    pub(crate) admin_role: String,
    pub(crate) group: String,
}

pub(crate) const ADMIN_PASSWORD: &str = "the admin's: 100%?";

impl Place {
    /// An empty database, with nothing prepared.
    pub(crate) async fn bare(server: &'static Server) -> Self {
        let name = schema_name();
        let place = Self {
            server,
            database: format!("{name}_db"),
            admin_role: format!("{name}_admin"),
            group: format!("{name}_tenants"),
            name,
        };
        let sql = format!("CREATE DATABASE {}", place.database);
        run(&mut connect(server.url()).await, &sql).await;
        place
    }

    /// A database that a DBA has prepared by the document.
    pub(crate) async fn prepared(server: &'static Server) -> Self {
        let place = Self::bare(server).await;
        place.dba(Block::Database).await;
        place.dba(Block::PublicSchema).await;
        place.give_admin_a_password().await;
        place
    }

    /// A database in which the admin has what these statements grant; `{admin}` and `{database}` are its names.
    pub(crate) async fn with(server: &'static Server, statements: &str) -> Self {
        let place = Self::bare(server).await;
        let sql = statements.replace("{admin}", &place.admin_role);
        run(&mut place.superuser().await, &sql.replace("{database}", &place.database)).await;
        place.give_admin_a_password().await;
        place
    }

    /// Runs a block of the document with the names of this place.
    pub(crate) async fn dba(&self, block: Block) {
        let blocks: Vec<&str> = DOCUMENT
            .split("```sql\n")
            .skip(1)
            .map(|rest| rest.split("```").next().unwrap())
            .collect();
        let sql = blocks[block as usize]
            .replace("app_admin", &self.admin_role)
            .replace("app_tenants", &self.group)
            .replace("app_runtime", &self.runtime_role())
            .replace("DATABASE app ", &format!("DATABASE {} ", self.database))
            .replace("acme", "tenant_a");
        run(&mut self.superuser().await, &sql).await;
    }

    async fn give_admin_a_password(&self) {
        let sql = format!(
            "ALTER ROLE {} PASSWORD '{}'",
            self.admin_role,
            ADMIN_PASSWORD.replace('\'', "''")
        );
        run(&mut self.superuser().await, &sql).await;
    }

    pub(crate) fn runtime_role(&self) -> String {
        format!("{}_runtime", self.name)
    }

    fn host(&self) -> &str {
        let place = self.server.url().rsplit('@').next().unwrap();
        place.split('/').next().unwrap()
    }

    /// The address of the admin.
    pub(crate) fn url(&self) -> String {
        let password = "the%20admin%27s%3A%20100%25%3F";
        format!("postgresql://{}:{password}@{}/ignored", self.admin_role, self.host())
    }

    pub(crate) fn admin(&self) -> DatabaseAdmin {
        let database = Database::new(&self.url(), &self.database, 10);
        DatabaseAdmin::new(database).group_role(&self.group)
    }

    /// The admin behind a proxy.
    pub(crate) fn admin_through(&self, port: u16) -> DatabaseAdmin {
        let url = self.url().replace(self.host(), &format!("127.0.0.1:{port}"));
        DatabaseAdmin::new(Database::new(&url, &self.database, 10)).group_role(&self.group)
    }

    /// A session of the superuser in the database.
    pub(crate) async fn superuser(&self) -> PgConnection {
        connect(&self.superuser_url()).await
    }

    pub(crate) fn superuser_url(&self) -> String {
        let (server, _) = self.server.url().rsplit_once('/').unwrap();
        format!("{server}/{}", self.database)
    }

    /// A session of the admin.
    pub(crate) async fn session(&self) -> PgConnection {
        connect(&self.url().replace("/ignored", &format!("/{}", self.database))).await
    }

    /// Names for a tenant, by a letter.
    pub(crate) fn config(&self, letter: &str) -> TenantConfig {
        self.config_with(letter, "")
    }

    pub(crate) fn config_with(&self, letter: &str, password: &str) -> TenantConfig {
        TenantConfig {
            schema_name: format!("tenant_{letter}"),
            username: format!("{}_{letter}", self.name),
            password: password.to_owned(),
        }
    }

    /// Creates a tenant.
    pub(crate) async fn tenant(&self, letter: &str) -> TenantCredentials {
        self.admin().create_tenant(self.config(letter)).await.unwrap()
    }
}

pub(crate) async fn try_connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    url.parse::<PgConnectOptions>().unwrap().disable_statement_logging().connect().await
}

/// A connection that knows nothing of us.
pub(crate) async fn connect(url: &str) -> PgConnection {
    try_connect(url).await.unwrap()
}

/// Runs SQL of a test's own making.
pub(crate) async fn run(connection: &mut PgConnection, sql: &str) {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await;
    assert!(done.is_ok(), "{sql}: {}", done.unwrap_err());
}

/// The SQLSTATE with which SQL is refused; none if it is not.
pub(crate) async fn refusal(connection: &mut PgConnection, sql: &str) -> Option<String> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await;
    let error = done.err()?;
    let code = error.as_database_error().unwrap_or_else(|| panic!("{sql}: {error}")).code();
    let _ = sqlx::raw_sql("ROLLBACK").execute(connection).await;
    Some(code.unwrap().into_owned())
}

pub(crate) async fn number(connection: &mut PgConnection, sql: &str) -> i64 {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap().get(0)
}

pub(crate) async fn text(connection: &mut PgConnection, sql: &str) -> String {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await.unwrap().get(0)
}

/// The SQLSTATE with which a login is refused.
pub(crate) async fn login_refusal(url: &str) -> String {
    let error = try_connect(url).await.err().unwrap();
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[task]
async fn double(context: &mut Context) -> Result<(), TaskError> {
    let number: i64 = context.get_as("number")?;
    context.insert("double", json!(number * 2))?;
    Ok(())
}

workflow! { name: "arithmetic", description: "Twice a number", tasks: [double] }

pub(crate) fn input(number: i64) -> Context {
    Context::from_value(json!({ "number": number })).unwrap()
}

/// Opens an executor with nothing but the tenant's credentials.
pub(crate) async fn open(tenant: &TenantCredentials) -> UnifiedExecutor {
    UnifiedExecutor::with_schema(&tenant.connection_string, &tenant.schema_name).await.unwrap()
}

/// Runs a workflow.
pub(crate) async fn work(executor: &UnifiedExecutor) {
    let result = executor.execute("arithmetic", input(21)).await.unwrap();
    assert_eq!(result.status, PipelineStatus::Completed);
    assert_eq!(result.final_context.get("double"), Some(&json!(42)));
}
