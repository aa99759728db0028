SELECT e.id, e.status, e.owner, e.epoch
FROM json_each(?1) AS j
CROSS JOIN executions AS e ON e.id = unhex(j.value)
