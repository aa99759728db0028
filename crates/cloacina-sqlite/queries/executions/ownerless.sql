-- Owners that were buried before what they submitted last was committed.
SELECT DISTINCT e.owner
FROM executions AS e INDEXED BY executions_owned
WHERE
    e.owner IS NOT NULL
    AND e.finished_at IS NULL
    AND e.owner <> ?1
    AND NOT EXISTS (SELECT 1 FROM workers AS w WHERE w.id = e.owner)
