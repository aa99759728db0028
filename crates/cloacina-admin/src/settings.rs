//! What the roles of tenants may use.

use std::time::Duration;

use crate::session::milliseconds;

/// Settings of a tenant's role. They are set when the tenant is created.
///
/// ```
/// use std::time::Duration;
///
/// use cloacina_admin::RoleSettings;
///
/// let settings = RoleSettings::default().connection_limit(50).statement_timeout(Duration::from_secs(10));
/// assert_eq!(settings.connection_limit, 50);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoleSettings {
    /// How many sessions the role may have at once, over all processes: 20 by default. An executor needs its `db_pool_size` and two more.
    /// The tenant cannot change it.
    pub connection_limit: u32,
    /// How long a statement may take: 30 s by default, at least 1 ms. A protection against accidents: the tenant may choose another
    /// one, and the engine sets its own.
    pub statement_timeout: Duration,
    /// How long a transaction may be idle: 10 s by default, at least 1 ms. As above.
    pub idle_in_transaction_timeout: Duration,
}

impl Default for RoleSettings {
    fn default() -> Self {
        Self {
            connection_limit: 20,
            statement_timeout: Duration::from_secs(30),
            idle_in_transaction_timeout: Duration::from_secs(10),
        }
    }
}

impl RoleSettings {
    /// Sets how many sessions the role may have at once.
    #[must_use]
    pub const fn connection_limit(mut self, sessions: u32) -> Self {
        self.connection_limit = sessions;
        self
    }

    /// Sets how long a statement may take.
    #[must_use]
    pub const fn statement_timeout(mut self, longest: Duration) -> Self {
        self.statement_timeout = longest;
        self
    }

    /// Sets how long a transaction may be idle.
    #[must_use]
    pub const fn idle_in_transaction_timeout(mut self, longest: Duration) -> Self {
        self.idle_in_transaction_timeout = longest;
        self
    }

    /// Returns what statements make of them.
    pub(crate) fn values(&self) -> [(&'static str, String); 3] {
        [
            ("connections", self.connection_limit.min(i32::MAX.unsigned_abs()).to_string()),
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("idle_timeout", milliseconds(self.idle_in_transaction_timeout)),
        ]
    }
}
