-- What is taken goes with the transaction. A server that has just started tells nothing.
SELECT
    pg_try_advisory_xact_lock($1)
    AND pg_postmaster_start_time() < clock_timestamp() - interval '2 seconds' AS was_free
