SELECT
    id, workflow, version, status, idempotency_key, retry_of, owner, epoch, takeovers, error,
    created_at, due_at, started_at, finished_at
FROM {schema}.executions
WHERE
    ($1::uuid IS NULL OR id < $1)
    AND ($2::text[] IS NULL OR status = ANY($2))
    AND ($3::text IS NULL OR workflow = $3)
    AND ($6::uuid IS NULL OR (owner = $6 AND finished_at IS NULL))
    AND (NOT $7::boolean OR (owner IS NULL AND finished_at IS NULL))
    AND (
        $5::json IS NULL
        OR NOT EXISTS (
            SELECT 1
            FROM json_array_elements($5::json) AS k (value)
            WHERE k.value ->> 0 = workflow AND k.value ->> 1 = version
        )
    )
ORDER BY id DESC
LIMIT $4
