SELECT e.id AS id
FROM json_each(?1) AS j
CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0) AND e.epoch = j.value ->> 1
WHERE
    e.owner IS NULL
    AND e.status IN ('pending', 'running')
    AND (e.due_at IS NULL OR e.due_at <= ?2)
ORDER BY e.id
LIMIT ?3
