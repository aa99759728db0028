-- What ends as most do. The rows are locked, so none has ended meanwhile.
UPDATE {schema}.executions AS e
SET status = 'completed', finished_at = $1
WHERE e.id = ANY($2) AND e.finished_at IS NULL
