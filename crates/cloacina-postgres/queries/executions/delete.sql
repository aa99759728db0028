-- Attempts and events go with their execution.
DELETE FROM {schema}.executions
WHERE id = ANY($1) AND finished_at IS NOT NULL
RETURNING id
