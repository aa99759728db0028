//! Which back end an address is for.

use cloacina_examples::Database;

fn refusal(url: &str, schema: Option<&str>) -> String {
    Database::new(url, schema).unwrap_err().to_string()
}

#[test]
fn the_scheme_chooses_the_back_end() {
    let sqlite = Database::new("sqlite://wf.db", None).unwrap();
    assert!(matches!(sqlite, Database::Sqlite { .. }), "{sqlite}");
    for url in ["postgresql://host/app", "postgres://host/app"] {
        let postgres = Database::new(url, Some("acme")).unwrap();
        assert!(matches!(postgres, Database::Postgres { .. }), "{postgres}");
    }
}

#[test]
fn other_addresses_are_refused_with_what_is_expected() {
    let expected = "expected `sqlite://file.db` or `postgresql://user:password@host:port/database`";
    assert_eq!(
        refusal("mysql://root:secret@host/app", None),
        format!("`mysql:` is no address of a database that is known here, {expected}")
    );
    for url in ["wf.db", "secret:word@host", "", "://host", "pass word://x"] {
        assert_eq!(
            refusal(url, None),
            format!("the address of the database has no scheme, {expected}")
        );
    }
    assert_eq!(
        refusal("sqlite://wf.db", Some("acme")),
        "schema `acme` is for PostgreSQL, a file of SQLite has none: use one file for each"
    );
}

#[test]
fn it_shows_itself_without_a_password() {
    let shown = |url, schema| {
        let database = Database::new(url, schema).unwrap();
        let (text, debug) = (database.to_string(), format!("{database:?}"));
        assert!(!format!("{text}{debug}").contains("secret"), "{text} {debug}");
        text
    };
    assert_eq!(
        shown("postgresql://app:s@secret@host:5432/app?password=secret", Some("acme")),
        "schema `acme` of postgresql://host:5432/app"
    );
    assert_eq!(shown("postgres://host/app", None), "schema `public` of postgresql://host/app");
    assert_eq!(shown("sqlite://wf.db", None), "sqlite://wf.db");
}
