UPDATE executions
SET owner = NULL
WHERE id IN (
    SELECT e.id
    FROM jsonb_each(?1) AS j
    CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0)
    WHERE
        e.owner = unhex(j.value ->> 1)
        AND e.epoch = j.value ->> 2
        AND e.finished_at IS NULL
)
