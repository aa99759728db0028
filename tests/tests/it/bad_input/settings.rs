//! Settings: every field, at its limits and past them.

use std::time::Duration;

use cloacina_core::{ExecutorConfig, ExecutorError, TenantManager, UnifiedExecutor};
use cloacina_testing::{MemoryBackend, MemoryTenants};
use serde_json::Value;

use super::{Case, check};

/// One setting as JSON, and what becomes of it.
const CASES: &[Case] = &[
    (r#"{"max_concurrent_tasks":1}"#, Ok("taken")),
    (r#"{"max_concurrent_tasks":1000000}"#, Ok("taken")),
    (
        r#"{"max_concurrent_tasks":0}"#,
        Err("`max_concurrent_tasks` is 0, it must be from 1 to 1000000"),
    ),
    (
        r#"{"max_concurrent_tasks":1000001}"#,
        Err("`max_concurrent_tasks` is 1000001, it must be from 1 to 1000000"),
    ),
    (
        r#"{"max_concurrent_tasks":-1}"#,
        Err("invalid value: integer `-1`, expected usize at line 1 column 26"),
    ),
    (
        r#"{"max_concurrent_tasks":1.5}"#,
        Err("invalid type: floating point `1.5`, expected usize at line 1 column 27"),
    ),
    (r#"{"db_pool_size":1000}"#, Ok("taken")),
    (r#"{"db_pool_size":0}"#, Err("`db_pool_size` is 0, it must be from 1 to 1000")),
    (r#"{"db_pool_size":1001}"#, Err("`db_pool_size` is 1001, it must be from 1 to 1000")),
    (
        r#"{"db_pool_size":4294967296}"#,
        Err("invalid value: integer `4294967296`, expected u32 at line 1 column 26"),
    ),
    (r#"{"max_recovery_attempts":1000000}"#, Ok("taken")),
    (
        r#"{"max_recovery_attempts":0}"#,
        Err("`max_recovery_attempts` is 0, it must be from 1 to 1000000"),
    ),
    (
        r#"{"max_recovery_attempts":1000001}"#,
        Err("`max_recovery_attempts` is 1000001, it must be from 1 to 1000000"),
    ),
    (r#"{"max_context_bytes":2}"#, Ok("taken")),
    (r#"{"max_context_bytes":268435456}"#, Ok("taken")),
    (r#"{"max_context_bytes":1}"#, Err("`max_context_bytes` is 1, it must be from 2 to 268435456")),
    (
        r#"{"max_context_bytes":268435457}"#,
        Err("`max_context_bytes` is 268435457, it must be from 2 to 268435456"),
    ),
    (
        r#"{"max_waiting_submits":0}"#,
        Err("`max_waiting_submits` is 0, it must be from 1 to 1000000"),
    ),
    (
        r#"{"max_waiting_submits":1000001}"#,
        Err("`max_waiting_submits` is 1000001, it must be from 1 to 1000000"),
    ),
    (
        r#"{"max_waiting_submit_bytes":0}"#,
        Err("`max_waiting_submit_bytes` is 0, it must be at least 1"),
    ),
    (
        r#"{"overload":"drop"}"#,
        Err("unknown variant `drop`, expected `wait` or `refuse` at line 1 column 18"),
    ),
    (r#"{"max_held_executions":1000000}"#, Ok("taken")),
    (
        r#"{"max_held_executions":0}"#,
        Err("`max_held_executions` is 0, it must be from 1 to 1000000"),
    ),
    (
        r#"{"max_held_executions":18446744073709551615}"#,
        Err("`max_held_executions` is 18446744073709551615, it must be from 1 to 1000000"),
    ),
    (r#"{"enable_recovery":false}"#, Ok("taken")),
    (
        r#"{"enable_recovery":"yes"}"#,
        Err("invalid type: string \"yes\", expected a boolean at line 1 column 24"),
    ),
    (r#"{"task_timeout":{"secs":0,"nanos":1000000}}"#, Ok("taken")),
    (r#"{"task_timeout":{"secs":3153600000,"nanos":0}}"#, Ok("taken")),
    (
        r#"{"task_timeout":{"secs":0,"nanos":999999}}"#,
        Err("`task_timeout` is 999.999µs, it must be from 1 ms to 100 years"),
    ),
    (
        r#"{"task_timeout":{"secs":3153600000,"nanos":1}}"#,
        Err("`task_timeout` is 3153600000.000000001s, it must be from 1 ms to 100 years"),
    ),
    (
        r#"{"task_timeout":{"secs":18446744073709551615,"nanos":999999999}}"#,
        Err("`task_timeout` is 18446744073709551615.999999999s, it must be from 1 ms to 100 years"),
    ),
    (
        r#"{"task_timeout":{"secs":18446744073709551615,"nanos":1000000000}}"#,
        Err("overflow deserializing Duration at line 1 column 64"),
    ),
    (
        r#"{"task_timeout":5}"#,
        Err("invalid type: integer `5`, expected struct Duration at line 1 column 17"),
    ),
    (
        r#"{"task_timeout":"5s"}"#,
        Err("invalid type: string \"5s\", expected struct Duration at line 1 column 20"),
    ),
    (r#"{"pipeline_timeout":null}"#, Ok("taken")),
    (r#"{"pipeline_timeout":{"secs":3153600000,"nanos":0}}"#, Ok("taken")),
    (
        r#"{"pipeline_timeout":{"secs":0,"nanos":0}}"#,
        Err("`pipeline_timeout` is 0ns, it must be from 1 ms to 100 years"),
    ),
    (
        r#"{"pipeline_timeout":{"secs":3153600001,"nanos":0}}"#,
        Err("`pipeline_timeout` is 3153600001s, it must be from 1 ms to 100 years"),
    ),
    (r#"{"lease_ttl":{"secs":0,"nanos":50000000}}"#, Ok("taken")),
    (
        r#"{"lease_ttl":{"secs":0,"nanos":49999999}}"#,
        Err("`lease_ttl` is 49.999999ms, it must be from 50 ms to 100 years"),
    ),
    (
        r#"{"lease_ttl":{"secs":3153600001,"nanos":0}}"#,
        Err("`lease_ttl` is 3153600001s, it must be from 50 ms to 100 years"),
    ),
    (
        r#"{"poll_interval":{"secs":0,"nanos":0}}"#,
        Err("`poll_interval` is 0ns, it must be from 1 ms to 100 years"),
    ),
    (
        r#"{"poll_interval":{"secs":3153600001,"nanos":0}}"#,
        Err("`poll_interval` is 3153600001s, it must be from 1 ms to 100 years"),
    ),
    (r#"{"cancel_grace":{"secs":0,"nanos":0}}"#, Ok("taken")),
    (
        r#"{"cancel_grace":{"secs":3153600001,"nanos":0}}"#,
        Err("`cancel_grace` is 3153600001s, it must be at most 100 years"),
    ),
    (r#"{"shutdown_grace":{"secs":0,"nanos":0}}"#, Ok("taken")),
    (
        r#"{"shutdown_grace":{"secs":3153600001,"nanos":0}}"#,
        Err("`shutdown_grace` is 3153600001s, it must be at most 100 years"),
    ),
];

fn read(text: &str) -> Result<ExecutorConfig, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn every_setting_is_taken_or_refused_by_its_name() {
    check(CASES, |text| {
        let config = read(text)?;
        config.validate().map_err(|error| error.to_string())?;
        let back = serde_json::to_string(&config).unwrap();
        assert_eq!(read(&back)?, config, "{back}");
        Ok("taken".to_owned())
    });
}

/// A field that is added needs its cases here.
#[test]
fn every_setting_has_a_case_that_is_refused() {
    let fields = serde_json::to_value(ExecutorConfig::default()).unwrap();
    for field in fields.as_object().unwrap().keys() {
        let key = format!("{{\"{field}\":");
        let refused =
            CASES.iter().any(|(text, outcome)| text.starts_with(&key) && outcome.is_err());
        assert!(refused, "`{field}` has no case");
    }
}

#[test]
fn a_setting_that_does_not_exist_is_named_with_those_that_do() {
    let error = read(r#"{"max_concurent_tasks":1}"#).unwrap_err();
    assert!(error.starts_with("unknown field `max_concurent_tasks`"), "{error}");
    let fields: Value = serde_json::to_value(ExecutorConfig::default()).unwrap();
    for field in fields.as_object().unwrap().keys() {
        assert!(error.contains(&format!("`{field}`")), "{field}: {error}");
    }
}

/// Whatever the way to a setting, it is checked before a store is opened.
#[tokio::test]
async fn an_executor_and_a_manager_check_their_settings_first() {
    let builder = UnifiedExecutor::<MemoryBackend>::builder().max_concurrent_tasks(0);
    let error = builder.build_on(MemoryBackend::new()).await.unwrap_err();
    assert!(matches!(error, ExecutorError::Config(_)), "{error:?}");
    let builder = || TenantManager::builder(MemoryTenants::new());
    let longest = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    for (builder, expected) in [
        (
            builder().max_concurrent_tasks(0),
            Some("`max_concurrent_tasks` is 0, it must be from 1 to 1000000"),
        ),
        (
            builder().max_concurrent_tasks(1_000_001),
            Some("`max_concurrent_tasks` is 1000001, it must be from 1 to 1000000"),
        ),
        (
            builder().idle_timeout(Duration::ZERO),
            Some("`idle_timeout` is 0ns, it must be from 10 ms to 100 years"),
        ),
        (
            builder().idle_timeout(Duration::MAX),
            Some(
                "`idle_timeout` is 18446744073709551615.999999999s, it must be from 10 ms to 100 years",
            ),
        ),
        (
            builder().sweep_interval(Duration::ZERO),
            Some("`sweep_interval` is 0ns, it must be from 10 ms to 100 years"),
        ),
        (
            builder().sweep_interval(Duration::MAX),
            Some(
                "`sweep_interval` is 18446744073709551615.999999999s, it must be from 10 ms to 100 years",
            ),
        ),
        (builder().idle_timeout(longest).sweep_interval(longest), None),
    ] {
        let built = builder.build();
        let error = built.as_ref().err().map(ToString::to_string);
        assert_eq!(error.as_deref(), expected);
        if let Ok(manager) = built {
            manager.shutdown().await.unwrap();
        }
    }
}
