-- Nobody claims for it, and no batch of it adds to what it owns, before this transaction has ended. One that is at that lives, or
-- its session ends soon.
SELECT lock_key, expires_at FROM {schema}.workers WHERE id = $1 FOR UPDATE SKIP LOCKED
