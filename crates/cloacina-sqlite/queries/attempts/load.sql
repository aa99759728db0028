SELECT
    a.execution_id, a.task, a.attempt, a.epoch, a.state, a.company, a.started_at, a.ended_at,
    a.retry_at, a.error, a.progress
FROM json_each(?1) AS j
CROSS JOIN attempts AS a ON a.execution_id = unhex(j.value)
