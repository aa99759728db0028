-- What is there already stays: the same execution, or another one with the key.
INSERT INTO {schema}.executions (
    id, workflow, version, status, idempotency_key, retry_of, owner, epoch, created_at, due_at,
    started_at, input
)
SELECT
    r.id, r.workflow, r.version, r.status, r.idempotency_key, r.retry_of, r.owner, r.epoch, $1,
    r.due_at, r.started_at, r.input
FROM unnest(
    $2::uuid [], $3::text [], $4::text [], $5::text [], $6::text [], $7::uuid [], $8::uuid [],
    $9::bigint [], $10::timestamptz [], $11::timestamptz [], $12::text []
) AS r (
    id, workflow, version, status, idempotency_key, retry_of, owner, epoch, due_at, started_at, input
)
ON CONFLICT DO NOTHING
RETURNING id
