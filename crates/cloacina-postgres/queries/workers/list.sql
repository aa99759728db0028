-- Whoever can take the lock of a worker knows that its session has ended. What is taken here goes with the transaction.
SELECT
    id, lock_key, expires_at,
    coalesce(pg_try_advisory_xact_lock(lock_key), false) AS lock_was_free
FROM {schema}.workers
WHERE id <> $1
ORDER BY id
