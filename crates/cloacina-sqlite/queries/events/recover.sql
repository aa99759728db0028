INSERT INTO events (execution_id, at, kind, detail, key)
SELECT e.id, ?2, 'recovered', ?3, 'recovered ' || e.epoch
FROM executions AS e INDEXED BY executions_owned
WHERE e.owner IS NOT NULL AND e.owner = ?1 AND e.finished_at IS NULL
ORDER BY e.id
