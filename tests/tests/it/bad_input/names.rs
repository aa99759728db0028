//! Names: of workflows and tasks, which are stored, and of tenants and schemas, which become files and SQL.

use cloacina_core::{Task, TenantId, Workflow};
use cloacina_postgres::PostgresOptions;

/// The rule that a name breaks; nothing if it is taken as it is.
type Rule = Option<&'static str>;

const SIZE: Rule = Some("it must have 1 to 255 bytes and no NUL character");
const SHORT: Rule = Some("it must have 1 to 48 bytes");
const FIRST: Rule = Some("it must begin with a letter from a to z");
const ASCII: Rule = Some("it may hold lower-case ASCII letters, digits, `_` and `-` only");
const SCHEMA: Rule = Some("it may hold lower-case ASCII letters, digits and `_` only");
const SYSTEM: Rule = Some("names that begin with `pg_` belong to PostgreSQL");
const SERVER: Rule = Some("it belongs to PostgreSQL");
const PUBLIC: Rule = Some(
    "every role of the database may look into it; a program with one tenant uses it without naming it",
);
const TAKEN: Rule = Some("the name is reserved");
const FINE: Rule = None;

/// A name; the rule of a workflow's name and a task's id, of a tenant, and of a schema, that it breaks.
const CASES: &[(&str, Rule, Rule, Rule)] = &[
    ("etl", FINE, FINE, FINE),
    ("etl_7", FINE, FINE, FINE),
    ("select", FINE, FINE, FINE),
    ("etl-7", FINE, FINE, SCHEMA),
    ("", SIZE, SHORT, SHORT),
    ("\0", SIZE, FIRST, FIRST),
    ("a\0", SIZE, ASCII, SCHEMA),
    (" ", FINE, FIRST, FIRST),
    ("a b", FINE, ASCII, SCHEMA),
    ("a\n", FINE, ASCII, SCHEMA),
    ("Etl", FINE, FIRST, FIRST),
    ("eTL", FINE, ASCII, SCHEMA),
    ("7", FINE, FIRST, FIRST),
    ("_", FINE, FIRST, FIRST),
    ("-", FINE, FIRST, FIRST),
    ("\u{e9}tl", FINE, FIRST, FIRST),
    ("e\u{301}tl", FINE, ASCII, SCHEMA),
    // A Cyrillic letter that looks like an `e`, one of full width, one that is written from the right.
    ("\u{435}tl", FINE, FIRST, FIRST),
    ("\u{ff45}tl", FINE, FIRST, FIRST),
    ("e\u{202e}lt", FINE, ASCII, SCHEMA),
    ("../etl", FINE, FIRST, FIRST),
    ("/etc/passwd", FINE, FIRST, FIRST),
    ("a/../b", FINE, ASCII, SCHEMA),
    ("a\\b", FINE, ASCII, SCHEMA),
    ("a.db", FINE, ASCII, SCHEMA),
    ("a:stream", FINE, ASCII, SCHEMA),
    ("a%2e", FINE, ASCII, SCHEMA),
    ("a\"; DROP TABLE executions; --", FINE, ASCII, SCHEMA),
    ("it's", FINE, ASCII, SCHEMA),
    ("${HOME}", FINE, FIRST, FIRST),
    ("a{b}", FINE, ASCII, SCHEMA),
    ("pg_catalog", FINE, SYSTEM, SERVER),
    ("pg_", FINE, SYSTEM, SERVER),
    ("pgx", FINE, FINE, FINE),
    ("information_schema", FINE, TAKEN, SERVER),
    ("public", FINE, TAKEN, PUBLIC),
    ("cloacina_admin", FINE, TAKEN, FINE),
    ("con", FINE, TAKEN, FINE),
    ("com7", FINE, TAKEN, FINE),
    ("com77", FINE, FINE, FINE),
];

/// Names of so many times a character, which a table cannot hold.
const LONG: &[(&str, usize, Rule, Rule, Rule)] = &[
    ("a", 48, FINE, FINE, FINE),
    ("a", 49, FINE, SHORT, SHORT),
    ("a", 255, FINE, SHORT, SHORT),
    ("a", 256, SIZE, SHORT, SHORT),
    ("\u{e9}", 127, FINE, SHORT, SHORT),
    ("\u{e9}", 128, SIZE, SHORT, SHORT),
    ("a", 1_000_000, SIZE, SHORT, SHORT),
];

/// What an error shows of a name: at most 64 characters of it, in quotes, with whatever is no text escaped.
fn refusal(kind: &str, name: &str, rule: Rule) -> Option<String> {
    let shown: String = name.chars().take(64).collect();
    rule.map(|rule| format!("{kind} {shown:?} is refused: {rule}"))
}

fn task(id: &str) -> Task {
    Task::new(id, |_context, _run| Box::pin(async {}))
}

fn check(name: &str, stored: Rule, tenant: Rule, schema: Rule) {
    let built = Workflow::builder(name).task(task("a")).build();
    let kept = built.map(|workflow| assert_eq!(workflow.name(), name));
    assert_eq!(kept.err().map(|e| e.to_string()), refusal("workflow name", name, stored));

    let built = Workflow::builder("w").task(task(name)).build();
    let kept = built.map(|workflow| assert_eq!(workflow.tasks()[0].id().as_str(), name));
    assert_eq!(kept.err().map(|e| e.to_string()), refusal("task id", name, stored));

    let kept = TenantId::new(name).map(|tenant| assert_eq!(tenant.as_str(), name));
    assert_eq!(kept.err().map(|e| e.to_string()), refusal("tenant name", name, tenant));

    // Nobody is asked there: a name is checked before anything is made of it.
    let options = PostgresOptions::from_url("postgresql://nobody@127.0.0.1:1/none").unwrap();
    let refused = options.schema(name).err().map(|error| error.to_string());
    assert_eq!(refused, refusal("schema name", name, schema));
}

#[test]
fn every_name_is_taken_as_it_is_or_refused_by_its_rule() {
    for &(name, stored, tenant, schema) in CASES {
        check(name, stored, tenant, schema);
    }
    for &(character, times, stored, tenant, schema) in LONG {
        check(&character.repeat(times), stored, tenant, schema);
    }
}
