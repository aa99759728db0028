SELECT id
FROM {schema}.executions
WHERE finished_at <= $1
ORDER BY id
LIMIT $2
