-- Nobody claims for it before this transaction has ended. One that is claiming lives, or its session ends soon.
SELECT lock_key, expires_at FROM {schema}.workers WHERE id = $1 FOR UPDATE SKIP LOCKED
