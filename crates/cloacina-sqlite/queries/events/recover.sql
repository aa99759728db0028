INSERT INTO events (execution_id, at, epoch, kind, detail)
SELECT e.id, ?2, e.epoch, 'recovered', ?3
FROM executions AS e INDEXED BY executions_owned
WHERE e.owner IS NOT NULL AND e.owner = ?1 AND e.finished_at IS NULL
ORDER BY e.id
