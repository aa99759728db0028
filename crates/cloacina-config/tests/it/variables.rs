//! From variables to settings, without the process's environment.

use std::ffi::OsString;
use std::time::Duration;

use cloacina_config::{DatabaseUrl, EnvError, FromEnv, TenantConfig};
use cloacina_core::ExecutorConfig;

/// The guide's file.
const GUIDE: [(&str, &str); 6] = [
    ("DATABASE_URL", "postgresql://user:pass@localhost/cloacina"),
    ("TENANT_ID", "production_tenant_123"),
    ("DEFAULT_SCHEMA", "public"),
    ("MAX_CONCURRENT_TASKS", "8"),
    ("TASK_TIMEOUT_SECONDS", "300"),
    ("DB_POOL_SIZE", "12"),
];

fn read<T: FromEnv>(variables: &[(&str, &str)]) -> Result<T, EnvError> {
    T::from_lookup(|name| {
        let held = variables.iter().find(|(variable, _)| *variable == name);
        held.map(|(_, value)| OsString::from(value))
    })
}

/// The guide's variables with others in their place.
fn with(changes: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let kept = GUIDE.iter().filter(|(name, _)| changes.iter().all(|(other, _)| other != name));
    changes.iter().chain(kept).copied().collect()
}

/// The guide's variables without one.
fn without(name: &str) -> Vec<(&'static str, &'static str)> {
    GUIDE.into_iter().filter(|(variable, _)| *variable != name).collect()
}

#[test]
fn each_variable_of_the_guide_is_read() {
    let config: TenantConfig = read(&GUIDE).unwrap();
    let expected = TenantConfig {
        tenant_id: "production_tenant_123".to_owned(),
        database_url: DatabaseUrl::from("postgresql://user:pass@localhost/cloacina"),
        schema: Some("production_tenant_123".to_owned()),
        max_concurrent_tasks: Some(8),
        task_timeout_seconds: Some(300),
        db_pool_size: Some(12),
    };
    assert_eq!(config, expected);
}

#[test]
fn the_executor_takes_its_three_from_the_same_variables() {
    let config: ExecutorConfig = read(&GUIDE).unwrap();
    let tenant: TenantConfig = read(&GUIDE).unwrap();
    assert_eq!(config, tenant.executor_config());
    let read = (config.max_concurrent_tasks, config.task_timeout, config.db_pool_size);
    assert_eq!(read, (8, Duration::from_secs(300), 12));
}

#[test]
fn what_is_not_set_has_its_default() {
    let url = [("DATABASE_URL", "sqlite://app.db")];
    let config: TenantConfig = read(&url).unwrap();
    assert_eq!(config, TenantConfig::new("default", "sqlite://app.db"));
    assert_eq!(config.executor_config(), ExecutorConfig::default());
    assert_eq!(read::<ExecutorConfig>(&[]).unwrap(), ExecutorConfig::default());
}

#[test]
fn the_default_schema_counts_only_without_a_tenant_and_never_for_a_file() {
    let schema = |variables: &[_]| read::<TenantConfig>(variables).unwrap().schema;
    assert_eq!(schema(&with(&[("DEFAULT_SCHEMA", "shared")])).unwrap(), "production_tenant_123");
    let mut alone = without("TENANT_ID");
    assert_eq!(schema(&alone), None, "`public` is what no schema means");
    alone.retain(|(name, _)| *name != "DEFAULT_SCHEMA");
    alone.push(("DEFAULT_SCHEMA", "app"));
    assert_eq!(schema(&alone).unwrap(), "app");
    assert_eq!(schema(&with(&[("DATABASE_URL", "sqlite://app.db")])), None);
}

#[test]
fn an_error_names_the_variable_what_it_held_and_what_is_allowed() {
    const ADDRESS: &str =
        "an address such as `postgresql://app@localhost/app` or `sqlite://app.db`";
    let table = [
        (
            "MAX_CONCURRENT_TASKS",
            "many",
            "is \"many\", it must be a whole number from 1 to 1000000",
        ),
        ("MAX_CONCURRENT_TASKS", "0", "is \"0\", it must be a whole number from 1 to 1000000"),
        ("MAX_CONCURRENT_TASKS", " 8", "is \" 8\", it must be a whole number from 1 to 1000000"),
        ("MAX_CONCURRENT_TASKS", "", "is empty, it must be a whole number from 1 to 1000000"),
        (
            "TASK_TIMEOUT_SECONDS",
            "5m",
            "is \"5m\", it must be a whole number of seconds from 1 to 3153600000",
        ),
        (
            "TASK_TIMEOUT_SECONDS",
            "99999999999999999999",
            "is \"99999999999999999999\", it must be a whole number of seconds from 1 to 3153600000",
        ),
        ("DB_POOL_SIZE", "-1", "is \"-1\", it must be a whole number from 1 to 1000"),
        ("DB_POOL_SIZE", "1001", "is \"1001\", it must be a whole number from 1 to 1000"),
        (
            "TENANT_ID",
            "Acme",
            "is \"Acme\", it must be the name of a tenant (tenant name \"Acme\" is refused: it must begin with a letter from a to z)",
        ),
        ("TENANT_ID", "", "is empty, it must be the name of a tenant"),
        ("DATABASE_URL", "", &format!("is empty, it must be {ADDRESS}")),
        (
            "DATABASE_URL",
            "pa$$/s3cret@db",
            &format!("is a text without a scheme, it must be {ADDRESS}"),
        ),
    ];
    for (variable, value, text) in table {
        let changed: Vec<_> = std::iter::once((variable, value)).chain(without(variable)).collect();
        let error = read::<TenantConfig>(&changed).unwrap_err();
        assert_eq!(error.to_string(), format!("`{variable}` {text}"));
    }
    let missing = read::<TenantConfig>(&without("DATABASE_URL")).unwrap_err();
    assert_eq!(missing.to_string(), format!("`DATABASE_URL` is not set, it must be {ADDRESS}"));
}

#[cfg(unix)]
#[test]
fn a_value_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStringExt as _;
    let lookup = |name: &str| (name == "DB_POOL_SIZE").then(|| OsString::from_vec(vec![0xff]));
    let error = ExecutorConfig::from_lookup(lookup).unwrap_err();
    let text = "`DB_POOL_SIZE` is no UTF-8 text, it must be a whole number from 1 to 1000";
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_file_that_serde_reads_gives_the_same_and_a_misspelt_key_is_refused() {
    let text = r#"{ "tenant_id": "acme", "database_url": "sqlite://acme.db", "db_pool_size": 3 }"#;
    let config: TenantConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config.db_pool_size, Some(3));
    assert_eq!(config.max_concurrent_tasks, None);
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<TenantConfig>(&again).unwrap(), config);
    let error = serde_json::from_str::<TenantConfig>(&text.replace("pool_size", "poolsize"));
    assert!(error.unwrap_err().to_string().contains("unknown field `db_poolsize`"));
}

#[test]
fn nothing_that_is_shown_or_written_holds_the_password() {
    let config: TenantConfig = read(&GUIDE).unwrap();
    let builder = config.builder::<cloacina_postgres::PostgresBackend>().unwrap();
    for shown in [format!("{config:?} {builder:?}"), serde_json::to_string(&config).unwrap()] {
        assert!(!shown.contains("pass@"), "{shown}");
    }
    assert!(config.database_url.expose().contains("user:pass@"));
}
