INSERT INTO {schema}.events (execution_id, at, kind, detail, key)
SELECT e.id, $2, 'recovered', $3, 'recovered ' || e.epoch
FROM {schema}.executions AS e
WHERE e.owner = $1 AND e.finished_at IS NULL
ORDER BY e.id
