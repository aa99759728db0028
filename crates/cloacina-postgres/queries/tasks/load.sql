SELECT
    t.execution_id, t.task, t.ordinal, t.state, t.attempts, t.started_at, t.ended_at,
    t.skip_kind, t.skip_task, t.error, t.changes, t.output
FROM {schema}.tasks AS t
WHERE t.execution_id = ANY($1)
