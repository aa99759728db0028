SELECT
    a.execution_id, a.task, a.attempt, a.epoch, a.state, a.company, a.started_at, a.ended_at,
    a.retry_at, a.error, a.progress
FROM {schema}.attempts AS a
WHERE a.execution_id = ANY($1)
