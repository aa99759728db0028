-- Like start, but only where the worker owns the execution under that epoch.
INSERT INTO attempts (execution_id, task, attempt, epoch, state, company, started_at)
SELECT
    e.id,
    j.value ->> 1,
    j.value ->> 2,
    e.epoch,
    'running',
    j.value ->> 4,
    j.value ->> 5
FROM jsonb_each(?1) AS j
CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0)
WHERE e.owner = ?2 AND e.epoch = j.value ->> 3 AND e.finished_at IS NULL
ON CONFLICT (execution_id, task, attempt, epoch) DO NOTHING
