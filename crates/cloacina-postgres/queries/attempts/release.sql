-- An attempt whose task has ended is over, whatever its own row says.
UPDATE {schema}.attempts AS a
SET state = 'released', ended_at = $2
WHERE
    a.state = 'running'
    AND a.execution_id = ANY($1)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.tasks AS t
        WHERE t.execution_id = a.execution_id AND t.task = a.task
    )
