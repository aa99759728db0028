SELECT
    id, workflow, version, status, idempotency_key, retry_of, owner, epoch, takeovers, error,
    created_at, due_at, started_at, finished_at
FROM executions INDEXED BY executions_owned
WHERE
    owner = ?6
    AND finished_at IS NULL
    AND id < ?1
    AND (?2 IS NULL OR status IN (SELECT j.value FROM json_each(?2) AS j))
    AND (?3 IS NULL OR workflow = ?3)
    AND (
        ?5 IS NULL
        OR (workflow, version) NOT IN (SELECT j.value ->> 0, j.value ->> 1 FROM json_each(?5) AS j)
    )
ORDER BY id DESC
LIMIT ?4
