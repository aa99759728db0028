INSERT INTO events (execution_id, at, kind, detail, key)
SELECT
    e.id,
    ?2,
    'acquitted',
    'its owner under epoch ' || (j.value ->> 1) || ' lives',
    'acquitted ' || (j.value ->> 1)
FROM jsonb_each(?1) AS j
CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0)
WHERE
    e.finished_at IS NULL
    AND EXISTS (
        SELECT 1
        FROM events AS d
        WHERE d.execution_id = e.id AND d.key = 'recovered ' || (j.value ->> 1)
    )
ON CONFLICT (execution_id, key) DO NOTHING
RETURNING execution_id AS id
