-- A row that is there already stays as it is, but for how far the attempt has come.
INSERT INTO attempts (
    execution_id, task, attempt, epoch, state, company, started_at, progress
)
VALUES (?, ?, ?, ?, 'running', ?, ?, ?)
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET progress = excluded.progress
WHERE attempts.state = 'running' AND excluded.progress IS NOT NULL
