INSERT INTO tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
SELECT
    unhex(j.value ->> 0), t.task, t.ordinal, t.state, t.attempts, t.started_at, t.ended_at,
    t.skip_kind, t.skip_task, t.error, t.changes, t.output
FROM jsonb_each(?1) AS j
CROSS JOIN tasks AS t ON t.execution_id = unhex(j.value ->> 1)
WHERE t.state = 'completed'
ON CONFLICT (execution_id, task) DO NOTHING
