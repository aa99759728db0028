SELECT min(
    (
        SELECT e.due_at
        FROM {schema}.executions AS e
        WHERE
            e.owner IS NULL
            AND e.workflow = k.value ->> 0
            AND e.version = k.value ->> 1
            AND e.due_at > $2
            AND e.status IN ('pending', 'running')
        ORDER BY e.due_at, e.id
        LIMIT 1
    )
) AS due_at
FROM json_array_elements($1::json) AS k (value)
