UPDATE {schema}.executions
SET status = $2, finished_at = $3
WHERE id = $1 AND finished_at IS NULL
