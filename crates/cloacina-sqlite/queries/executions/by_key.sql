SELECT e.idempotency_key, e.id, e.workflow
FROM json_each(?1) AS j
CROSS JOIN executions AS e INDEXED BY executions_idempotency_key
    ON e.idempotency_key = j.value
