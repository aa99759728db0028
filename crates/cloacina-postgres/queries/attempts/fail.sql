-- A row that tells of the failure already stays as it is: its times are those of the first commit.
INSERT INTO {schema}.attempts AS a (
    execution_id, task, attempt, epoch, state, company, started_at, ended_at, retry_at, error
)
SELECT
    r.id, r.task, r.attempt, r.epoch, 'failed', 'shared', r.started_at, r.ended_at, r.retry_at,
    r.error
FROM unnest(
    $1::uuid [], $2::text [], $3::bigint [], $4::bigint [], $5::timestamptz [],
    $6::timestamptz [], $7::timestamptz [], $8::text []
) AS r (id, task, attempt, epoch, started_at, ended_at, retry_at, error)
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET
    state = excluded.state,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    retry_at = excluded.retry_at,
    error = excluded.error
WHERE a.state = 'running'
