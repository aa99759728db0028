INSERT INTO tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
SELECT
    j.column1, t.task, t.ordinal, t.state, t.attempts, t.started_at, t.ended_at,
    t.skip_kind, t.skip_task, t.error, t.changes, t.output
FROM (VALUES (?, ?)) AS j
CROSS JOIN tasks AS t ON t.execution_id = j.column2
WHERE t.state = 'completed'
ON CONFLICT (execution_id, task) DO NOTHING
