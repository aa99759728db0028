SELECT seq, at, kind, task, detail
FROM events
WHERE execution_id = ?1
ORDER BY seq
