SELECT e.id
FROM {schema}.executions AS e
WHERE
    (e.id, e.epoch) IN (
        SELECT (k.value ->> 0)::uuid, (k.value ->> 1)::bigint
        FROM json_array_elements($1::json) AS k (value)
    )
    AND e.owner IS NULL
    AND e.status IN ('pending', 'running')
    AND (e.due_at IS NULL OR e.due_at <= $2)
ORDER BY e.id
LIMIT $3
FOR NO KEY UPDATE SKIP LOCKED
