INSERT INTO executions (
    id, workflow, version, status, idempotency_key, retry_of, owner, epoch, created_at, due_at,
    started_at, input
)
SELECT
    unhex(j.value ->> 0),
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    j.value ->> 4,
    unhex(j.value ->> 5),
    unhex(j.value ->> 6),
    j.value ->> 7,
    ?2,
    j.value ->> 8,
    j.value ->> 9,
    j.value ->> 10
FROM jsonb_each(?1) AS j
