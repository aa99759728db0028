-- A row that tells of the failure already stays as it is: its times are those of the first commit.
INSERT INTO attempts (
    execution_id, task, attempt, epoch, state, company, started_at, ended_at, retry_at, error
)
VALUES (?, ?, ?, ?, 'failed', 'shared', ?, ?, ?, ?)
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET
    state = excluded.state,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    retry_at = excluded.retry_at,
    error = excluded.error
WHERE attempts.state = 'running'
