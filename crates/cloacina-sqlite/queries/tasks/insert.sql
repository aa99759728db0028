INSERT INTO tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (execution_id, task) DO NOTHING
