//! Tests of the names of tenants.

use super::TenantId;

#[track_caller]
fn refused(name: &str, rule: &str) {
    let error = TenantId::new(name).unwrap_err().to_string();
    assert!(error.ends_with(rule), "{name:?}: {error}");
}

#[test]
fn ordinary_names_and_words_of_sql_are_taken() {
    let longest = "a".repeat(48);
    for name in ["a", "acme", "acme_7", "acme-7", "order", "select", "pgx", "community", &longest] {
        assert_eq!(TenantId::new(name).unwrap().to_string(), name);
    }
}

#[test]
fn what_is_no_name_is_refused_by_its_rule() {
    refused("", "1 to 48 bytes");
    refused(&"a".repeat(49), "1 to 48 bytes");
    for name in ["../a", "/a", "7a", "_a", "-a", "Acme", ".a", "\0", "ämter"] {
        refused(name, "begin with a letter from a to z");
    }
    // The fourth holds a Cyrillic letter that looks like an `a`.
    for name in ["aB", "a/b", "a\\b", "\u{61}\u{430}", "a b", "a\0", "a.b", "a\"b", "a;b", "a\n"] {
        refused(name, "`_` and `-` only");
    }
}

#[test]
fn names_that_others_use_are_refused() {
    refused("pg_catalog", "belong to PostgreSQL");
    for name in ["public", "information_schema", "con", "nul", "com1", "lpt9"] {
        refused(name, "the name is reserved");
    }
}

#[test]
fn names_are_checked_when_they_are_read() {
    let acme: TenantId = serde_json::from_str("\"acme\"").unwrap();
    assert_eq!(serde_json::to_string(&acme).unwrap(), "\"acme\"");
    let error = serde_json::from_str::<TenantId>("\"../acme\"").unwrap_err().to_string();
    assert!(error.contains("must begin with a letter"), "{error}");
}
