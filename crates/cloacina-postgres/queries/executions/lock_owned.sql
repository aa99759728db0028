-- In order of their ids, so that no two transactions wait for each other.
SELECT e.id
FROM {schema}.executions AS e
WHERE e.owner = $1 AND e.finished_at IS NULL
ORDER BY e.id
FOR NO KEY UPDATE
