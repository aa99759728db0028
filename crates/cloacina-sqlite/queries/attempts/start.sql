INSERT INTO attempts (execution_id, task, attempt, epoch, state, company, started_at)
SELECT
    unhex(j.value ->> 0),
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    'running',
    j.value ->> 4,
    j.value ->> 5
FROM jsonb_each(?1) AS j
WHERE true
ON CONFLICT (execution_id, task, attempt, epoch) DO NOTHING
