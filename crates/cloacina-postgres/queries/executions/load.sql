SELECT
    e.id, e.workflow, e.version, e.status, e.idempotency_key, e.retry_of, e.owner, e.epoch,
    e.takeovers, e.error, e.created_at, e.due_at, e.started_at, e.finished_at, e.input
FROM {schema}.executions AS e
WHERE e.id = ANY($1)
