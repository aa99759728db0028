-- A row that is there already stays as it is, but for how far the attempt has come.
INSERT INTO attempts (
    execution_id, task, attempt, epoch, state, company, started_at, progress
)
SELECT
    unhex(j.value ->> 0),
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    'running',
    j.value ->> 4,
    j.value ->> 5,
    j.value ->> 6
FROM jsonb_each(?1) AS j
WHERE true
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET progress = excluded.progress
WHERE attempts.state = 'running' AND excluded.progress IS NOT NULL
