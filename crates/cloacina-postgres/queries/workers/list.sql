-- Whoever can take the lock of a worker knows that its session has ended. What is taken here goes with the transaction. A
-- server that has just started tells nothing: all sessions have ended with it, and the living are coming back.
SELECT
    id, lock_key, expires_at,
    coalesce(pg_try_advisory_xact_lock(lock_key), false)
    AND pg_postmaster_start_time() < clock_timestamp() - interval '2 seconds' AS lock_was_free
FROM {schema}.workers
WHERE id <> $1
ORDER BY id
LIMIT 1000
