-- A row that tells of the failure already stays as it is: its times are those of the first commit.
INSERT INTO attempts (
    execution_id, task, attempt, epoch, state, company, started_at, ended_at, retry_at, error
)
SELECT
    unhex(j.value ->> 0),
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    'failed',
    'shared',
    j.value ->> 4,
    j.value ->> 5,
    j.value ->> 6,
    j.value ->> 7
FROM jsonb_each(?1) AS j
WHERE true
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET
    state = excluded.state,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    retry_at = excluded.retry_at,
    error = excluded.error
WHERE attempts.state = 'running'
