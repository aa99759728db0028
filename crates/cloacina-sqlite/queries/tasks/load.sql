SELECT
    t.execution_id, t.task, t.ordinal, t.state, t.attempts, t.started_at, t.ended_at,
    t.skip_kind, t.skip_task, t.error, t.changes, t.output
FROM json_each(?1) AS j
CROSS JOIN tasks AS t ON t.execution_id = unhex(j.value)
