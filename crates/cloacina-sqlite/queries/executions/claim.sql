UPDATE executions
SET
    owner = ?2,
    epoch = epoch + 1,
    status = 'running',
    started_at = coalesce(started_at, ?3)
WHERE id IN (SELECT unhex(j.value) FROM json_each(?1) AS j)
