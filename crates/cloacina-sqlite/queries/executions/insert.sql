INSERT INTO executions (
    id, workflow, version, status, idempotency_key, retry_of, owner, epoch, created_at, due_at,
    started_at, input
)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
