UPDATE {schema}.executions
SET
    owner = $2,
    epoch = epoch + 1,
    status = 'running',
    started_at = coalesce(started_at, $3)
WHERE id = ANY($1)
