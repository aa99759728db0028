-- What is there already stays: the same execution, or another one with the key.
INSERT INTO {schema}.executions (
    id, workflow, version, status, idempotency_key, retry_of, owner, epoch, created_at, due_at,
    started_at, input
)
SELECT
    (j.value ->> 0)::uuid,
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    j.value ->> 4,
    (j.value ->> 5)::uuid,
    (j.value ->> 6)::uuid,
    (j.value ->> 7)::bigint,
    $2,
    (j.value ->> 8)::timestamptz,
    (j.value ->> 9)::timestamptz,
    j.value ->> 10
FROM json_array_elements($1::json) AS j (value)
ON CONFLICT DO NOTHING
RETURNING id
