-- What is taken goes with the transaction.
SELECT pg_try_advisory_xact_lock($1) AS was_free
