-- Nobody claims for it before this transaction has ended.
SELECT lock_key, expires_at FROM {schema}.workers WHERE id = $1 FOR UPDATE
