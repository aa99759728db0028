UPDATE {schema}.executions
SET owner = NULL
WHERE id = ANY($1)
