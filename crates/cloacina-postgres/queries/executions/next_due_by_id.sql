SELECT min(e.due_at) AS due_at
FROM {schema}.executions AS e
WHERE
    (e.id, e.epoch) IN (
        SELECT (k.value ->> 0)::uuid, (k.value ->> 1)::bigint
        FROM json_array_elements($1::json) AS k (value)
    )
    AND e.owner IS NULL
    AND e.status IN ('pending', 'running')
    AND e.due_at > $2
