-- The sub-selects bound what is read of each workflow, however long its backlog is; more than asked for, since somebody
-- else may be claiming the oldest, which are then passed over. The candidates come in order, and the loop over them ends at the limit:
-- no plan locks more than it gives.
WITH candidate AS MATERIALIZED (
    SELECT c.id
    FROM json_array_elements($1::json) AS k (value)
    CROSS JOIN LATERAL (
        (
            SELECT r.id
            FROM {schema}.executions AS r
            WHERE
                r.owner IS NULL
                AND r.workflow = k.value ->> 0
                AND r.version = k.value ->> 1
                AND r.due_at IS NULL
                AND r.status IN ('pending', 'running')
            ORDER BY r.due_at, r.id
            LIMIT 4 * $3
        )
        UNION ALL
        (
            SELECT r.id
            FROM {schema}.executions AS r
            WHERE
                r.owner IS NULL
                AND r.workflow = k.value ->> 0
                AND r.version = k.value ->> 1
                AND r.due_at <= $2
                AND r.status IN ('pending', 'running')
            ORDER BY r.due_at, r.id
            LIMIT 1000 + 4 * $3
        )
    ) AS c
    ORDER BY c.id
)
SELECT e.id
FROM candidate AS c
CROSS JOIN LATERAL (
    SELECT r.id
    FROM {schema}.executions AS r
    WHERE r.id = c.id AND r.owner IS NULL AND r.status IN ('pending', 'running')
    FOR NO KEY UPDATE SKIP LOCKED
) AS e
LIMIT $3
