INSERT INTO {schema}.tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
SELECT *
FROM unnest(
    $1::uuid [], $2::text [], $3::bigint [], $4::text [], $5::bigint [], $6::timestamptz [],
    $7::timestamptz [], $8::text [], $9::text [], $10::text [], $11::text [], $12::text []
)
ON CONFLICT (execution_id, task) DO NOTHING
