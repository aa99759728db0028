-- Tasks, attempts and events go with their execution.
DELETE FROM executions
WHERE
    id IN (SELECT unhex(j.value) FROM json_each(?1) AS j)
    AND finished_at IS NOT NULL
