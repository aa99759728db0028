-- An attempt whose task has ended is over, whatever its own row says.
UPDATE attempts
SET state = ?2, ended_at = ?3
WHERE
    state = 'running'
    AND execution_id IN (
        SELECT e.id
        FROM executions AS e INDEXED BY executions_owned
        WHERE e.owner IS NOT NULL AND e.owner = ?1 AND e.finished_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1
        FROM tasks AS t
        WHERE t.execution_id = attempts.execution_id AND t.task = attempts.task
    )
