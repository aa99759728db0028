-- The sub-selects bound what is read of each workflow, however long its backlog is. What somebody else is claiming is
-- passed over.
SELECT e.id
FROM {schema}.executions AS e
WHERE
    e.id IN (
        SELECT c.id
        FROM json_array_elements($1::json) AS k (value)
        CROSS JOIN LATERAL (
            (
                SELECT r.id
                FROM {schema}.executions AS r
                WHERE
                    r.owner IS NULL
                    AND r.finished_at IS NULL
                    AND r.workflow = k.value ->> 0
                    AND r.version = k.value ->> 1
                    AND r.due_at IS NULL
                    AND r.status IN ('pending', 'running')
                ORDER BY r.id
                LIMIT $3
            )
            UNION ALL
            (
                SELECT r.id
                FROM {schema}.executions AS r
                WHERE
                    r.owner IS NULL
                    AND r.finished_at IS NULL
                    AND r.workflow = k.value ->> 0
                    AND r.version = k.value ->> 1
                    AND r.due_at <= $2
                    AND r.status IN ('pending', 'running')
            )
        ) AS c
    )
    AND e.owner IS NULL
    AND e.finished_at IS NULL
    AND e.status IN ('pending', 'running')
ORDER BY e.id
LIMIT $3
FOR NO KEY UPDATE SKIP LOCKED
