//! Looks for what would let a tenant out, or somebody in.

use std::fmt;

use sqlx::Row as _;

use crate::DatabaseAdmin;
use crate::error::{AdminError, Context as _};
use crate::rights::Rights;
use crate::session::Session;
use crate::sql::render;

const WHAT: &str = "audit the database";

const PRELUDE: &str = include_str!("../queries/audit/prelude.sql");

const CHECKS: [(FindingKind, &str); 13] = [
    (FindingKind::OpenDatabase, include_str!("../queries/audit/open_databases.sql")),
    (FindingKind::ForeignDatabase, include_str!("../queries/audit/foreign_databases.sql")),
    (FindingKind::OpenSchema, include_str!("../queries/audit/open_schemas.sql")),
    (FindingKind::ForeignSchema, include_str!("../queries/audit/foreign_schemas.sql")),
    (FindingKind::Guest, include_str!("../queries/audit/schema_guests.sql")),
    (FindingKind::Guest, include_str!("../queries/audit/table_guests.sql")),
    (FindingKind::Guest, include_str!("../queries/audit/column_guests.sql")),
    (FindingKind::Ownership, include_str!("../queries/audit/ownership.sql")),
    (FindingKind::Planted, include_str!("../queries/audit/planted.sql")),
    (FindingKind::Membership, include_str!("../queries/audit/memberships.sql")),
    (FindingKind::Impersonation, include_str!("../queries/audit/impersonation.sql")),
    (FindingKind::Power, include_str!("../queries/audit/powers.sql")),
    (FindingKind::Incomplete, include_str!("../queries/audit/incomplete.sql")),
];

/// Something that an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// What is there that should not be.
    pub subject: String,
    /// The statement that puts an end to it, or what else to do. Think before running it: somebody may rely on what it takes away.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.remedy)
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// `PUBLIC` has rights on a database of the server, so that tenants have them.
    OpenDatabase,
    /// Tenants may connect to another database of the server.
    ForeignDatabase,
    /// `PUBLIC` has rights on a schema, so that tenants have them.
    OpenSchema,
    /// A tenant has rights on a schema that is not its own, or may create something in its own.
    ForeignSchema,
    /// Somebody has rights on a tenant's schema or tables, or on the admin's registry, who should not; or a tenant has more on its own tables
    /// than reading and writing.
    Guest,
    /// A tenant owns something, such as large objects, which any role may make.
    Ownership,
    /// A tenant's schema holds something that is not the engine's, and may run with the rights of others.
    Planted,
    /// A tenant is in a role besides the group of all tenants.
    Membership,
    /// Somebody may act as a tenant.
    Impersonation,
    /// A tenant's role has a power such as CREATEROLE.
    Power,
    /// A tenant is half there: its removal was cut off, or somebody dropped its role or schema.
    Incomplete,
}

/// Asks all questions at one moment.
pub(crate) async fn audit(admin: &DatabaseAdmin) -> Result<Vec<Finding>, AdminError> {
    let mut session = admin.database.session().await?;
    session.begin().await?;
    let found = ask(&mut session, admin).await;
    let found = session.end(WHAT, found).await;
    session.close().await;
    found
}

async fn ask(session: &mut Session, admin: &DatabaseAdmin) -> Result<Vec<Finding>, AdminError> {
    let rights = Rights::read(&mut session.connection, admin).await?;
    rights.check_registry()?;
    // Before the first tenant there is no registry.
    let tenants = match rights.registry_exists {
        true => "cloacina_admin.tenants",
        false => {
            "(SELECT NULL::text AS schema_name, NULL::text AS username, NULL::text AS state WHERE false)"
        }
    };
    let mut findings = Vec::new();
    for (kind, question) in CHECKS {
        let sql = format!("{PRELUDE}{question}");
        let sql = render(&sql, &[("tenants", tenants.to_owned())]);
        let query = sqlx::query(sql).persistent(false);
        let query = query.bind(&admin.group).bind(admin.runtime.as_deref());
        for row in query.fetch_all(&mut session.connection).await.during(WHAT)? {
            let subject = row.try_get("subject").during(WHAT)?;
            let remedy = row.try_get("remedy").during(WHAT)?;
            findings.push(Finding { kind, subject, remedy });
        }
    }
    Ok(findings)
}
