//! Tests of the settings.

use std::time::Duration;

use serde_json::json;

use super::{ExecutorConfig, OverloadPolicy};

fn refusal(change: impl FnOnce(&mut ExecutorConfig)) -> String {
    let mut config = ExecutorConfig::default();
    change(&mut config);
    config.validate().unwrap_err().to_string()
}

#[test]
fn the_default_is_allowed() {
    assert_eq!(ExecutorConfig::default().validate(), Ok(()));
}

#[test]
fn every_limit_names_its_field() {
    assert_eq!(
        refusal(|config| config.max_concurrent_tasks = 0),
        "`max_concurrent_tasks` is 0, it must be from 1 to 1000000"
    );
    assert_eq!(
        refusal(|config| config.db_pool_size = 1001),
        "`db_pool_size` is 1001, it must be from 1 to 1000"
    );
    assert_eq!(
        refusal(|config| config.max_recovery_attempts = 0),
        "`max_recovery_attempts` is 0, it must be from 1 to 1000000"
    );
    assert_eq!(
        refusal(|config| config.max_context_bytes = 1),
        "`max_context_bytes` is 1, it must be from 2 to 268435456"
    );
    assert_eq!(
        refusal(|config| config.max_held_executions = 0),
        "`max_held_executions` is 0, it must be from 1 to 1000000"
    );
    assert_eq!(
        refusal(|config| config.max_waiting_submits = 0),
        "`max_waiting_submits` is 0, it must be from 1 to 1000000"
    );
    assert_eq!(
        refusal(|config| config.max_waiting_submit_bytes = 0),
        "`max_waiting_submit_bytes` is 0, it must be at least 1"
    );
    assert_eq!(
        refusal(|config| config.task_timeout = Duration::from_micros(999)),
        "`task_timeout` is 999µs, it must be from 1 ms to 100 years"
    );
    assert_eq!(
        refusal(|config| config.pipeline_timeout = Some(Duration::ZERO)),
        "`pipeline_timeout` is 0ns, it must be from 1 ms to 100 years"
    );
    assert_eq!(
        refusal(|config| config.lease_ttl = Duration::from_millis(49)),
        "`lease_ttl` is 49ms, it must be from 50 ms to 100 years"
    );
    assert_eq!(
        refusal(|config| config.poll_interval = Duration::ZERO),
        "`poll_interval` is 0ns, it must be from 1 ms to 100 years"
    );
}

/// Such a duration could not be added to an instant: the engine would panic long after it was configured.
#[test]
fn no_duration_may_overflow_the_clock() {
    let endless = Duration::MAX;
    for (field, text) in [
        ("task_timeout", refusal(|config| config.task_timeout = endless)),
        ("pipeline_timeout", refusal(|config| config.pipeline_timeout = Some(endless))),
        ("lease_ttl", refusal(|config| config.lease_ttl = endless)),
        ("poll_interval", refusal(|config| config.poll_interval = endless)),
        ("cancel_grace", refusal(|config| config.cancel_grace = endless)),
        ("shutdown_grace", refusal(|config| config.shutdown_grace = endless)),
    ] {
        assert!(
            text.starts_with(&format!("`{field}` is 18446744073709551615.999999999s")),
            "{text}"
        );
    }
}

#[test]
fn settings_are_read_with_defaults_and_without_strangers() {
    let config: ExecutorConfig = serde_json::from_value(json!({
        "db_pool_size": 3,
        "lease_ttl": {"secs": 1, "nanos": 5},
        "overload": "refuse",
    }))
    .unwrap();
    assert_eq!(config.overload, OverloadPolicy::Refuse);
    assert_eq!(config.db_pool_size, 3);
    assert_eq!(config.lease_ttl, Duration::new(1, 5));
    assert_eq!(config.max_concurrent_tasks, 16);
    let text = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<ExecutorConfig>(&text).unwrap(), config);
    let error = serde_json::from_value::<ExecutorConfig>(json!({"pool": 3})).unwrap_err();
    assert!(error.to_string().contains("unknown field `pool`"), "{error}");
}
