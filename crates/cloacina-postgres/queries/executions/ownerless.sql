-- Owners that were buried before what they submitted last was committed.
SELECT DISTINCT e.owner
FROM {schema}.executions AS e
WHERE
    e.owner IS NOT NULL
    AND e.finished_at IS NULL
    AND e.owner <> $1
    AND NOT EXISTS (SELECT 1 FROM {schema}.workers AS w WHERE w.id = e.owner)
LIMIT 100
