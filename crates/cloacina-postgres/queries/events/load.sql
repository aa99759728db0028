SELECT seq, at, kind, task, detail
FROM {schema}.events
WHERE execution_id = $1
ORDER BY seq
