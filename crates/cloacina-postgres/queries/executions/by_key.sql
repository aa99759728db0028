SELECT e.idempotency_key, e.id, e.workflow
FROM {schema}.executions AS e
WHERE e.idempotency_key = ANY($1)
