-- What somebody else keeps in a schema of ours: relations and functions that no migration makes.
SELECT found.name
FROM (
    SELECT c.relname::text AS name
    FROM pg_catalog.pg_class AS c
    WHERE
        c.relnamespace = $1::regnamespace
        AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        AND c.relname <> ALL($2)
    UNION ALL
    SELECT p.proname::text
    FROM pg_catalog.pg_proc AS p
    WHERE p.pronamespace = $1::regnamespace
) AS found
ORDER BY found.name
LIMIT 1
