//! What the harness adds to a database before any work begins: triggers that note who changes what, in the order in which it
//! happens, and views that look alike on every store.

/// For PostgreSQL, in a schema of its own. Sessions are told apart by their application names.
pub(super) const POSTGRES: &str = "
CREATE SCHEMA {audit};
CREATE TABLE {audit}.audit_workers (
    seq bigint GENERATED ALWAYS AS IDENTITY, worker uuid, session text
);
CREATE TABLE {audit}.audit_ownership (
    seq bigint GENERATED ALWAYS AS IDENTITY, execution uuid, owner uuid, epoch bigint, status text
);
CREATE TABLE {audit}.audit_results (
    seq bigint GENERATED ALWAYS AS IDENTITY, execution uuid, task text, owner uuid, epoch bigint,
    session text
);
CREATE TABLE {audit}.audit_changes (execution uuid, task text);

CREATE FUNCTION {audit}.worker() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.audit_workers (worker, session)
    VALUES (NEW.id, current_setting('application_name'));
    RETURN NULL;
END $$;
CREATE FUNCTION {audit}.ownership() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.audit_ownership (execution, owner, epoch, status)
    VALUES (NEW.id, NEW.owner, NEW.epoch, NEW.status);
    RETURN NULL;
END $$;
CREATE FUNCTION {audit}.result() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.audit_results (execution, task, owner, epoch, session)
    SELECT NEW.execution_id, NEW.task, e.owner, e.epoch, current_setting('application_name')
    FROM {schema}.executions AS e WHERE e.id = NEW.execution_id;
    RETURN NULL;
END $$;
CREATE FUNCTION {audit}.change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO {audit}.audit_changes VALUES (OLD.execution_id, OLD.task);
    RETURN NULL;
END $$;

CREATE TRIGGER audit AFTER INSERT ON {schema}.workers
FOR EACH ROW EXECUTE FUNCTION {audit}.worker();
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON {schema}.executions
FOR EACH ROW EXECUTE FUNCTION {audit}.ownership();
CREATE TRIGGER audit AFTER INSERT ON {schema}.tasks
FOR EACH ROW EXECUTE FUNCTION {audit}.result();
CREATE TRIGGER audit_changes AFTER UPDATE OR DELETE ON {schema}.tasks
FOR EACH ROW EXECUTE FUNCTION {audit}.change();

CREATE VIEW {audit}.chk_executions AS
SELECT id::text, workflow, status, input, finished_at::text AS finished FROM {schema}.executions;
CREATE VIEW {audit}.chk_tasks AS
SELECT execution_id::text AS execution, task, state, attempts::text, output FROM {schema}.tasks;
CREATE VIEW {audit}.chk_attempts AS
SELECT execution_id::text AS execution, task, attempt::text, state FROM {schema}.attempts;
CREATE VIEW {audit}.chk_events AS
SELECT seq, execution_id::text AS execution, kind, task, detail FROM {schema}.events;
CREATE VIEW {audit}.chk_workers AS SELECT id::text AS worker FROM {schema}.workers;
CREATE VIEW {audit}.chk_registrations AS
SELECT seq, worker::text, session FROM {audit}.audit_workers;
CREATE VIEW {audit}.chk_ownership AS
SELECT seq, execution::text, owner::text, epoch::text, status FROM {audit}.audit_ownership;
CREATE VIEW {audit}.chk_results AS
SELECT seq, execution::text, task, owner::text, epoch::text, session FROM {audit}.audit_results;
CREATE VIEW {audit}.chk_changes AS SELECT execution::text, task FROM {audit}.audit_changes;
";

/// For SQLite, in the same file. There are no sessions to tell apart.
pub(super) const SQLITE: &str = "
BEGIN IMMEDIATE;
CREATE TABLE audit_workers (seq INTEGER PRIMARY KEY AUTOINCREMENT, worker BLOB);
CREATE TABLE audit_ownership (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, execution BLOB, owner BLOB, epoch INTEGER, status TEXT
);
CREATE TABLE audit_results (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, execution BLOB, task TEXT, owner BLOB, epoch INTEGER
);
CREATE TABLE audit_changes (execution BLOB, task TEXT);

CREATE TRIGGER audit_worker AFTER INSERT ON workers BEGIN
    INSERT INTO audit_workers (worker) VALUES (NEW.id);
END;
CREATE TRIGGER audit_submit AFTER INSERT ON executions BEGIN
    INSERT INTO audit_ownership (execution, owner, epoch, status)
    VALUES (NEW.id, NEW.owner, NEW.epoch, NEW.status);
END;
CREATE TRIGGER audit_ownership AFTER UPDATE ON executions BEGIN
    INSERT INTO audit_ownership (execution, owner, epoch, status)
    VALUES (NEW.id, NEW.owner, NEW.epoch, NEW.status);
END;
CREATE TRIGGER audit_result AFTER INSERT ON tasks BEGIN
    INSERT INTO audit_results (execution, task, owner, epoch)
    SELECT NEW.execution_id, NEW.task, e.owner, e.epoch
    FROM executions AS e WHERE e.id = NEW.execution_id;
END;
CREATE TRIGGER audit_update AFTER UPDATE ON tasks BEGIN
    INSERT INTO audit_changes VALUES (OLD.execution_id, OLD.task);
END;
CREATE TRIGGER audit_delete AFTER DELETE ON tasks BEGIN
    INSERT INTO audit_changes VALUES (OLD.execution_id, OLD.task);
END;

CREATE VIEW chk_executions AS
SELECT {id} AS id, workflow, status, input, CAST(finished_at AS TEXT) AS finished FROM executions;
CREATE VIEW chk_tasks AS
SELECT {execution_id} AS execution, task, state, CAST(attempts AS TEXT) AS attempts, output
FROM tasks;
CREATE VIEW chk_attempts AS
SELECT {execution_id} AS execution, task, CAST(attempt AS TEXT) AS attempt, state FROM attempts;
CREATE VIEW chk_events AS
SELECT seq, {execution_id} AS execution, kind, task, detail FROM events;
CREATE VIEW chk_workers AS SELECT {id} AS worker FROM workers;
CREATE VIEW chk_registrations AS
SELECT seq, {worker} AS worker, NULL AS session FROM audit_workers;
CREATE VIEW chk_ownership AS
SELECT seq, {execution} AS execution, {owner} AS owner, CAST(epoch AS TEXT) AS epoch, status
FROM audit_ownership;
CREATE VIEW chk_results AS
SELECT seq, {execution} AS execution, task, {owner} AS owner, CAST(epoch AS TEXT) AS epoch,
    NULL AS session
FROM audit_results;
CREATE VIEW chk_changes AS SELECT {execution} AS execution, task FROM audit_changes;
COMMIT;
";

/// Makes the statements for a schema, and for another one that is to hold the audit.
pub(super) fn postgres(sql: &str, schema: &str) -> String {
    sql.replace("{schema}", schema).replace("{audit}", &format!("{schema}_audit"))
}

/// Makes the statements for a file: ids are shown as everywhere else.
pub(super) fn sqlite(sql: &str) -> String {
    let columns = ["id", "execution_id", "execution", "owner", "worker"];
    columns.iter().fold(sql.to_owned(), |sql, column| {
        let part = |from, length| format!("substr(lower(hex({column})), {from}, {length})");
        let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
        let shown = parts.join(" || '-' || ");
        sql.replace(
            &format!("{{{column}}}"),
            &format!("CASE WHEN {column} IS NOT NULL THEN {shown} END"),
        )
    })
}
