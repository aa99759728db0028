//! What a tenant may try with its own login, and what becomes of it.

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// The server refuses with this SQLSTATE.
    Refused(&'static str),
    /// It refuses with one of two, which depends on its version.
    RefusedAs(&'static str, &'static str),
    /// Version 16 and newer refuse it with this SQLSTATE, before it is harmless.
    RefusedSince16(&'static str, i64, &'static str),
    /// It is carried out, returns this number in its last row, and hurts nobody for this reason.
    Harmless(i64, &'static str),
}

use Outcome::{Harmless, Refused, RefusedAs, RefusedSince16};

/// Attempts of tenant B. `{a}`, `{b}`, `{admin}` and `{group}` are roles; the schemas are `tenant_a` and `tenant_b`.
pub(crate) const ATTEMPTS: &[(&str, Outcome)] = &[
    // Reading, writing and listing what is another's.
    ("SELECT * FROM tenant_a.executions", Refused("42501")),
    ("SELECT input FROM tenant_a.executions LIMIT 1", Refused("42501")),
    ("INSERT INTO tenant_a.workers DEFAULT VALUES", Refused("42501")),
    ("UPDATE tenant_a.executions SET status = 'failed'", Refused("42501")),
    ("DELETE FROM tenant_a.executions", Refused("42501")),
    ("TRUNCATE tenant_a.executions CASCADE", Refused("42501")),
    ("DROP TABLE tenant_a.executions CASCADE", Refused("42501")),
    ("DROP SCHEMA tenant_a CASCADE", Refused("42501")),
    ("ALTER TABLE tenant_a.executions ADD COLUMN x int", Refused("42501")),
    ("COPY tenant_a.executions TO STDOUT", Refused("42501")),
    ("EXPLAIN SELECT * FROM tenant_a.executions", Refused("42501")),
    ("PREPARE p AS SELECT * FROM tenant_a.executions", Refused("42501")),
    ("SELECT nextval('tenant_a.events_seq_seq')", Refused("42501")),
    ("SELECT * FROM cloacina_admin.tenants", Refused("42501")),
    ("SELECT 1 FROM cloacina_admin.tenants FOR UPDATE", Refused("42501")),
    ("SET search_path = tenant_a; SELECT * FROM executions", Refused("42P01")),
    (
        "SELECT set_config('search_path', 'tenant_a', false); SELECT * FROM executions",
        Refused("42P01"),
    ),
    ("SELECT query_to_xml('SELECT * FROM tenant_a.executions', true, false, '')", Refused("42501")),
    ("SELECT schema_to_xml('tenant_a', true, false, '')::text LIKE '%secret%'", Refused("42501")),
    (
        "SELECT count(*) FROM pg_stats WHERE schemaname = 'tenant_a'",
        Harmless(0, "rows of others are left out"),
    ),
    (
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'tenant_a'",
        Harmless(0, "tables of others are left out"),
    ),
    ("SELECT count(*) FROM pg_statistic", Refused("42501")),
    // Locks.
    ("BEGIN; LOCK TABLE tenant_a.executions", Refused("42501")),
    ("BEGIN; LOCK TABLE cloacina_admin.tenants", Refused("42501")),
    ("BEGIN; LOCK TABLE pg_catalog.pg_class", Refused("42501")),
    (
        "SELECT 1 FROM pg_advisory_lock(1)",
        Harmless(1, "the engine's keys are random, and only its session has them"),
    ),
    // Making something, in its own schema too.
    ("CREATE TABLE tenant_a.x ()", Refused("42501")),
    ("CREATE TABLE tenant_b.x ()", Refused("42501")),
    ("CREATE TABLE public.x ()", Refused("42501")),
    ("CREATE TEMPORARY TABLE x ()", Refused("42501")),
    ("CREATE SCHEMA x", Refused("42501")),
    ("CREATE VIEW tenant_b.v AS SELECT 1", Refused("42501")),
    ("CREATE FUNCTION tenant_b.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", Refused("42501")),
    ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", Refused("42501")),
    (
        "CREATE TRIGGER t BEFORE INSERT ON tenant_b.executions FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        Refused("42501"),
    ),
    ("CREATE RULE r AS ON INSERT TO tenant_b.executions DO NOTHING", Refused("42501")),
    ("CREATE POLICY p ON tenant_b.executions", Refused("42501")),
    ("CREATE INDEX ON tenant_b.executions ((1 / 0))", Refused("42501")),
    ("ALTER TABLE tenant_b.executions OWNER TO {b}", Refused("42501")),
    ("ALTER TABLE tenant_b.executions DISABLE TRIGGER ALL", Refused("42501")),
    ("TRUNCATE tenant_b.executions CASCADE", Refused("42501")),
    ("DROP TABLE tenant_b.executions", Refused("42501")),
    ("DROP SCHEMA tenant_b CASCADE", Refused("42501")),
    ("INSERT INTO tenant_b.cloacina_migrations (version) VALUES (999)", Refused("42501")),
    ("DELETE FROM tenant_b.cloacina_migrations", Refused("42501")),
    ("CREATE EXTENSION pgcrypto", RefusedAs("42501", "0A000")),
    ("CREATE PUBLICATION p", Refused("42501")),
    ("CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()", Refused("42501")),
    ("CREATE LANGUAGE x HANDLER f", RefusedAs("42501", "42883")),
    ("CREATE DATABASE x", Refused("42501")),
    ("GRANT USAGE ON SCHEMA tenant_a TO {b}", Refused("42501")),
    ("GRANT SELECT ON tenant_a.executions TO {b}", Refused("42501")),
    // Becoming somebody else.
    ("SET ROLE {a}", Refused("42501")),
    ("SET ROLE {admin}", Refused("42501")),
    (
        "SET ROLE {group}; SELECT 1::bigint",
        RefusedSince16("42501", 1, "the group may connect to the database and nothing else"),
    ),
    ("SET ROLE postgres", Refused("42501")),
    ("SET SESSION AUTHORIZATION {a}", Refused("42501")),
    ("SET SESSION AUTHORIZATION postgres", Refused("42501")),
    ("SELECT set_config('role', '{a}', false)", Refused("42501")),
    ("CREATE ROLE x", Refused("42501")),
    ("ALTER ROLE {a} PASSWORD 'x'", Refused("42501")),
    ("ALTER ROLE {a} SET search_path = tenant_b", Refused("42501")),
    ("ALTER ROLE ALL SET search_path = tenant_b", Refused("42501")),
    ("ALTER ROLE {b} SUPERUSER", Refused("42501")),
    ("ALTER ROLE {b} CREATEROLE", Refused("42501")),
    ("ALTER ROLE {b} CONNECTION LIMIT 1000", Refused("42501")),
    ("ALTER ROLE {b} VALID UNTIL 'infinity'", Refused("42501")),
    ("GRANT {a} TO {b}", Refused("42501")),
    ("GRANT {group} TO postgres", Refused("42501")),
    ("GRANT pg_read_all_data TO {b}", Refused("42501")),
    ("DROP ROLE {a}", Refused("42501")),
    ("DROP OWNED BY {a}", Refused("42501")),
    ("REASSIGN OWNED BY {a} TO {b}", Refused("42501")),
    ("ALTER DEFAULT PRIVILEGES FOR ROLE {admin} GRANT ALL ON TABLES TO {b}", Refused("42501")),
    // Secrets and sessions of others.
    ("SELECT * FROM pg_authid", Refused("42501")),
    ("SELECT * FROM pg_shadow", Refused("42501")),
    (
        "SELECT count(*) FROM pg_roles WHERE rolpassword <> '********'",
        Harmless(0, "the view shows no password"),
    ),
    (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{a}' AND query <> '<insufficient privilege>'",
        Harmless(0, "statements of others are left out"),
    ),
    (
        "SELECT count(*) FROM pg_stat_activity WHERE usename = '{a}' AND (state IS NOT NULL OR client_addr IS NOT NULL)",
        Harmless(0, "what others do is left out"),
    ),
    (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{a}'",
        Refused("42501"),
    ),
    ("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = '{a}'", Refused("42501")),
    (
        "SELECT pg_log_backend_memory_contexts(pid) FROM pg_stat_activity WHERE usename = '{a}'",
        Refused("42501"),
    ),
    // The server's files and settings.
    ("SELECT pg_read_file('postgresql.conf')", Refused("42501")),
    ("SELECT pg_ls_dir('.')", Refused("42501")),
    ("SELECT * FROM pg_hba_file_rules", Refused("42501")),
    ("SELECT lo_import('/etc/passwd')", Refused("42501")),
    ("COPY tenant_b.executions TO PROGRAM 'id'", Refused("42501")),
    ("COPY tenant_b.executions TO '/tmp/x'", Refused("42501")),
    ("SELECT pg_reload_conf()", Refused("42501")),
    ("ALTER SYSTEM SET log_statement = 'all'", Refused("42501")),
    ("SET session_replication_role = replica", Refused("42501")),
    ("SET log_statement = 'none'", Refused("42501")),
    ("SET temp_file_limit = -1", Refused("42501")),
    ("LOAD 'auto_explain'", RefusedAs("42501", "58P01")),
    ("ALTER DATABASE {database} SET search_path = tenant_b", Refused("42501")),
    ("CHECKPOINT", Refused("42501")),
    ("BEGIN; PREPARE TRANSACTION 'x'", Refused("55000")),
    ("SELECT pg_create_restore_point('x')", Refused("42501")),
    // What is carried out.
    (
        "SELECT count(*) FROM pg_namespace WHERE nspname = 'tenant_a'",
        Harmless(1, "names are no secrets: do not put any into them"),
    ),
    (
        "SELECT count(*) FROM pg_roles WHERE rolname = '{a}'",
        Harmless(1, "names are no secrets: do not put any into them"),
    ),
    (
        "SELECT count(*) FROM pg_attribute WHERE attrelid IN (SELECT oid FROM pg_class WHERE relname = 'executions') AND attname = 'input'",
        Harmless(2, "all tenants have the same tables"),
    ),
    (
        "SELECT (pg_relation_size(c.oid) >= 0)::int::bigint FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relname = 'executions' AND n.nspname = 'tenant_a'",
        Harmless(1, "sizes are visible, rows are not"),
    ),
    (
        "SET statement_timeout = 0; SELECT 1::bigint",
        Harmless(1, "the limit is a protection against accidents"),
    ),
    (
        "SET default_transaction_read_only = on; SELECT 1::bigint",
        Harmless(1, "a session of its own, and the engine sets what it needs"),
    ),
    (
        "ALTER ROLE {b} SET synchronous_commit = off; SELECT 1::bigint",
        Harmless(1, "its own setting, and the engine sets its own"),
    ),
    (
        "SELECT (lo_from_bytea(0, 'x') > 0)::int::bigint",
        Harmless(1, "its own object, which goes with it"),
    ),
    ("DO 'BEGIN PERFORM 1; END'; SELECT 1::bigint", Harmless(1, "code with its own rights")),
    (
        "LISTEN cloacina_tenant_a; SELECT 1::bigint",
        Harmless(1, "it learns when a neighbour has news, not what"),
    ),
    (
        "NOTIFY cloacina_tenant_a, 'forged'; SELECT 1::bigint",
        Harmless(
            1,
            "a hint: whoever hears it looks whether there is work, for a bounded part of the time",
        ),
    ),
    (
        "GRANT USAGE ON SCHEMA tenant_b TO PUBLIC; SELECT count(*) FROM pg_namespace AS n, aclexplode(n.nspacl) AS a WHERE n.nspname = 'tenant_b' AND a.grantee = 0",
        Harmless(0, "a warning, and nothing is granted"),
    ),
    (
        "GRANT SELECT ON tenant_b.executions TO PUBLIC; SELECT count(*) FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE a.grantee = 0 AND c.relname = 'executions'",
        Harmless(0, "a warning, and nothing is granted"),
    ),
];
