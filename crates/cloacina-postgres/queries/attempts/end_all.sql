-- An attempt whose task has ended is over, whatever its own row says.
UPDATE {schema}.attempts AS a
SET state = $2, ended_at = $3
WHERE
    a.state = 'running'
    AND a.execution_id IN (
        SELECT e.id FROM {schema}.executions AS e WHERE e.owner = $1 AND e.finished_at IS NULL
    )
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.tasks AS t
        WHERE t.execution_id = a.execution_id AND t.task = a.task
    )
