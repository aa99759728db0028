-- A row that is there already stays as it is, but for how far the attempt has come.
INSERT INTO {schema}.attempts AS a (
    execution_id, task, attempt, epoch, state, company, started_at, progress
)
SELECT r.id, r.task, r.attempt, r.epoch, 'running', r.company, r.started_at, r.progress
FROM unnest(
    $1::uuid [], $2::text [], $3::bigint [], $4::bigint [], $5::text [], $6::timestamptz [],
    $7::text []
) AS r (id, task, attempt, epoch, company, started_at, progress)
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET progress = excluded.progress
WHERE a.state = 'running' AND excluded.progress IS NOT NULL
