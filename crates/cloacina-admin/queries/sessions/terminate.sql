-- Waits up to a second for each.
SELECT pg_terminate_backend(a.pid, 1000) AS ended
FROM pg_stat_activity AS a
INNER JOIN pg_roles AS r ON r.oid = a.usesysid
WHERE r.rolname = $1
