-- A few at a time: each takes a lock, and the server has room for some thousands.
SELECT count(pg_catalog.lo_unlink(o.oid)) AS unlinked
FROM (
    SELECT m.oid
    FROM pg_catalog.pg_largeobject_metadata AS m
    INNER JOIN pg_catalog.pg_roles AS r ON r.oid = m.lomowner
    WHERE r.rolname = $1
    LIMIT 1000
) AS o
