INSERT INTO events (execution_id, at, epoch, kind, detail)
SELECT e.id, ?2, e.epoch, ?3, ?4
FROM executions AS e
WHERE e.id = ?1
