INSERT INTO events (execution_id, at, kind, detail)
SELECT e.id, ?2, ?3, ?4
FROM executions AS e
WHERE e.id = ?1
