INSERT INTO {schema}.events (execution_id, at, kind, detail)
SELECT e.id, $2, 'recovered', $3
FROM {schema}.executions AS e
WHERE e.owner = $1 AND e.finished_at IS NULL
ORDER BY e.id
