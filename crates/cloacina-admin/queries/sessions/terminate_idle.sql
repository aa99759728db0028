-- Those that hold a transaction open, and do nothing in it. Waits up to a second for each.
SELECT pg_catalog.pg_terminate_backend(a.pid, 1000::bigint) AS ended
FROM pg_catalog.pg_stat_activity AS a
INNER JOIN pg_catalog.pg_roles AS r ON r.oid = a.usesysid
WHERE r.rolname = $1 AND a.state LIKE 'idle in transaction%'
