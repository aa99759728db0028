-- In order of their ids, so that no two transactions wait for each other.
SELECT e.id, e.status, e.owner, e.epoch
FROM {schema}.executions AS e
WHERE e.id = ANY($1)
ORDER BY e.id
FOR NO KEY UPDATE
