-- An attempt whose task has ended is over, whatever its own row says.
UPDATE attempts
SET state = 'released', ended_at = ?2
WHERE
    state = 'running'
    AND execution_id IN (
        SELECT e.id
        FROM jsonb_each(?1) AS j
        CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0)
        WHERE
            e.owner = unhex(j.value ->> 1)
            AND e.epoch = j.value ->> 2
            AND e.finished_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1
        FROM tasks AS t
        WHERE t.execution_id = attempts.execution_id AND t.task = attempts.task
    )
