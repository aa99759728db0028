UPDATE {schema}.executions
SET owner = NULL
WHERE owner = $1 AND finished_at IS NULL
