//! From variables to settings.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use cloacina_core::{ExecutorConfig, TenantId};

use crate::{DatabaseUrl, EnvError, TenantConfig};

/// What the driver of PostgreSQL uses where no schema is named.
const PUBLIC: &str = "public";

/// The tenant of a program that names none.
const DEFAULT_TENANT: &str = "default";

/// Settings that the environment gives. The crate's page lists the variables.
pub trait FromEnv: Sized {
    /// Reads the variables that this lookup gives, and nothing else.
    ///
    /// ```
    /// use cloacina_config::FromEnv as _;
    /// use cloacina_core::ExecutorConfig;
    ///
    /// let lookup = |name: &str| (name == "DB_POOL_SIZE").then(|| "many".into());
    /// let error = ExecutorConfig::from_lookup(lookup).unwrap_err();
    /// let text = "`DB_POOL_SIZE` is \"many\", it must be a whole number from 1 to 1000";
    /// assert_eq!(error.to_string(), text);
    /// ```
    ///
    /// # Errors
    ///
    /// An [`EnvError`] that names the first variable that is missing or not allowed, what it held, and what is allowed.
    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, EnvError>;

    /// Reads the process's environment, and the file `.env` for what that does not set.
    ///
    /// # Errors
    ///
    /// As [`from_lookup`](Self::from_lookup), and a file `.env` that cannot be read or is malformed.
    fn from_env() -> Result<Self, EnvError> {
        let file = read_file()?;
        Self::from_lookup(|name| {
            std::env::var_os(name).or_else(|| file.get(name).map(OsString::from))
        })
    }
}

/// Sets `max_concurrent_tasks`, `task_timeout` and `db_pool_size`; the others are the defaults.
impl FromEnv for ExecutorConfig {
    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, EnvError> {
        let mut config = Self::default();
        if let Some(count) = MAX_CONCURRENT_TASKS.read(&lookup)? {
            config.max_concurrent_tasks = usize::try_from(count).unwrap_or(usize::MAX);
        }
        if let Some(seconds) = TASK_TIMEOUT_SECONDS.read(&lookup)? {
            config.task_timeout = Duration::from_secs(seconds);
        }
        if let Some(connections) = DB_POOL_SIZE.read(&lookup)? {
            config.db_pool_size = u32::try_from(connections).unwrap_or(u32::MAX);
        }
        Ok(config)
    }
}

/// With `TENANT_ID`, the schema on PostgreSQL is the tenant's own, whatever `DEFAULT_SCHEMA` says: two tenants never share one.
impl FromEnv for TenantConfig {
    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, EnvError> {
        let database_url = address(&lookup)?;
        let tenant = text(&lookup, "TENANT_ID", "the name of a tenant")?;
        if let Some(name) = &tenant {
            TenantId::new(name.as_str()).map_err(|error| EnvError::Invalid {
                variable: "TENANT_ID",
                value: format!("{name:?}"),
                allowed: format!("the name of a tenant ({error})"),
            })?;
        }
        let default_schema = text(&lookup, "DEFAULT_SCHEMA", "the name of a schema")?;
        let schema = match (&tenant, database_url.is_file()) {
            (_, true) => None,
            (Some(name), false) => Some(name.clone()),
            (None, false) => default_schema.filter(|name| name != PUBLIC),
        };
        Ok(Self {
            tenant_id: tenant.unwrap_or_else(|| DEFAULT_TENANT.to_owned()),
            database_url,
            schema,
            max_concurrent_tasks: MAX_CONCURRENT_TASKS
                .read(&lookup)?
                .map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
            task_timeout_seconds: TASK_TIMEOUT_SECONDS.read(&lookup)?,
            db_pool_size: DB_POOL_SIZE
                .read(&lookup)?
                .map(|connections| u32::try_from(connections).unwrap_or(u32::MAX)),
        })
    }
}

/// A variable that holds a number.
struct Number {
    variable: &'static str,
    allowed: RangeInclusive<u64>,
    unit: &'static str,
}

const MAX_CONCURRENT_TASKS: Number =
    Number { variable: "MAX_CONCURRENT_TASKS", allowed: 1..=1_000_000, unit: "" };
const TASK_TIMEOUT_SECONDS: Number = Number {
    variable: "TASK_TIMEOUT_SECONDS",
    allowed: 1..=100 * 365 * 24 * 60 * 60,
    unit: " of seconds",
};
const DB_POOL_SIZE: Number = Number { variable: "DB_POOL_SIZE", allowed: 1..=1000, unit: "" };

impl Number {
    fn read(&self, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Option<u64>, EnvError> {
        let (first, last) = (self.allowed.start(), self.allowed.end());
        let allowed = format!("a whole number{} from {first} to {last}", self.unit);
        let Some(held) = text(lookup, self.variable, &allowed)? else { return Ok(None) };
        match held.parse().ok().filter(|number| self.allowed.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => {
                let variable = self.variable;
                Err(EnvError::Invalid { variable, value: format!("{held:?}"), allowed })
            }
        }
    }
}

/// Reads a variable. One that is set and empty is no more allowed than any other wrong value.
fn text(
    lookup: impl Fn(&str) -> Option<OsString>,
    variable: &'static str,
    allowed: &str,
) -> Result<Option<String>, EnvError> {
    let invalid =
        |value: String| EnvError::Invalid { variable, value, allowed: allowed.to_owned() };
    match lookup(variable).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(held)) if held.is_empty() => Err(invalid("empty".to_owned())),
        Some(Ok(held)) => Ok(Some(held)),
        Some(Err(_)) => Err(invalid("no UTF-8 text".to_owned())),
    }
}

fn address(lookup: impl Fn(&str) -> Option<OsString>) -> Result<DatabaseUrl, EnvError> {
    const VARIABLE: &str = "DATABASE_URL";
    const ALLOWED: &str =
        "an address such as `postgresql://app@localhost/app` or `sqlite://app.db`";
    let allowed = || ALLOWED.to_owned();
    let Some(held) = text(lookup, VARIABLE, ALLOWED)? else {
        return Err(EnvError::Missing { variable: VARIABLE, allowed: allowed() });
    };
    let url = DatabaseUrl::from(held);
    if url.scheme().is_none() {
        let value = "a text without a scheme".to_owned();
        return Err(EnvError::Invalid { variable: VARIABLE, value, allowed: allowed() });
    }
    Ok(url)
}

/// Reads the nearest `.env`. Of two lines for one variable the first counts.
fn read_file() -> Result<BTreeMap<String, String>, EnvError> {
    let Some(path) = find_file() else { return Ok(BTreeMap::new()) };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => {
            let reason = "it cannot be read".to_owned();
            return Err(EnvError::File { path, reason, source: Some(source) });
        }
    };
    let mut variables = BTreeMap::new();
    for line in dotenvy::from_read_iter(text.as_bytes()) {
        match line {
            Ok((name, value)) => variables.entry(name).or_insert(value),
            Err(error) => {
                let reason = what_is_wrong(&text, &error);
                return Err(EnvError::File { path, reason, source: None });
            }
        };
    }
    Ok(variables)
}

fn find_file() -> Option<PathBuf> {
    let folder = std::env::current_dir().ok()?;
    folder.ancestors().map(|folder| folder.join(".env")).find(|path| path.is_file())
}

/// Says what is wrong with the file, without the line itself, which may hold a secret.
fn what_is_wrong(text: &str, error: &dotenvy::Error) -> String {
    let malformed = match error {
        dotenvy::Error::LineParse(part, _) => part.lines().next().unwrap_or_default(),
        _ => "",
    };
    let place = text.lines().position(|line| !malformed.is_empty() && line.contains(malformed));
    let place = place.map_or_else(|| "a line".to_owned(), |index| format!("line {}", index + 1));
    format!("{place} is not `NAME=value`, or its value needs single quotes")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use cloacina_core::ExecutorConfig;

    use super::{DB_POOL_SIZE, MAX_CONCURRENT_TASKS, Number, TASK_TIMEOUT_SECONDS};

    #[test]
    fn what_the_variables_allow_is_what_the_executor_allows() {
        let refused = |change: &dyn Fn(&mut ExecutorConfig)| {
            let mut config = ExecutorConfig::default();
            change(&mut config);
            config.validate().is_err()
        };
        let check = |number: &Number, set: &dyn Fn(&mut ExecutorConfig, u64)| {
            let (first, last) = (*number.allowed.start(), *number.allowed.end());
            for (value, wrong) in
                [(first - 1, true), (first, false), (last, false), (last + 1, true)]
            {
                assert_eq!(
                    refused(&|config| set(config, value)),
                    wrong,
                    "{}: {value}",
                    number.variable
                );
            }
        };
        check(&MAX_CONCURRENT_TASKS, &|config, value| {
            config.max_concurrent_tasks = value.try_into().unwrap();
        });
        check(&TASK_TIMEOUT_SECONDS, &|config, value| {
            config.task_timeout = Duration::from_secs(value);
        });
        check(&DB_POOL_SIZE, &|config, value| config.db_pool_size = value.try_into().unwrap());
    }
}
