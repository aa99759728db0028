SELECT seq, at, kind, task, detail
FROM events INDEXED BY events_execution
WHERE execution_id = ?1
ORDER BY seq
