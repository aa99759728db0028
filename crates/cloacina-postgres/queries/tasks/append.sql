-- Tasks that completed at the first attempt. One that is there already is an error.
INSERT INTO {schema}.tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, changes, output
)
SELECT r.execution_id, r.task, r.ordinal, 'completed', 1, r.started_at, r.ended_at, r.changes, r.output
FROM unnest(
    $1::uuid [], $2::text [], $3::bigint [], $4::timestamptz [], $5::timestamptz [], $6::text [],
    $7::text []
) AS r (execution_id, task, ordinal, started_at, ended_at, changes, output)
