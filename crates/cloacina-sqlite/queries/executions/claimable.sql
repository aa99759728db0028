-- The sub-select bounds what is read of each workflow, however long its backlog is.
SELECT e.id AS id
FROM jsonb_each(?1) AS k
CROSS JOIN executions AS e
    ON e.id IN (
        SELECT r.id
        FROM executions AS r INDEXED BY executions_unowned
        WHERE
            r.owner IS NULL
            AND r.finished_at IS NULL
            AND r.workflow = k.value ->> 0
            AND r.version = k.value ->> 1
            AND r.due_at IS NULL
            AND r.status IN ('pending', 'running')
        ORDER BY r.id
        LIMIT ?3
    )
UNION ALL
SELECT e.id
FROM jsonb_each(?1) AS k
CROSS JOIN executions AS e INDEXED BY executions_unowned
    ON
        e.workflow = k.value ->> 0
        AND e.version = k.value ->> 1
        AND e.due_at <= ?2
WHERE
    e.owner IS NULL
    AND e.finished_at IS NULL
    AND e.status IN ('pending', 'running')
ORDER BY id
LIMIT ?3
