UPDATE executions
SET owner = NULL
FROM json_each(?1) AS j
WHERE
    executions.id = unhex(j.value ->> 0)
    AND executions.owner = unhex(j.value ->> 1)
    AND executions.epoch = j.value ->> 2
    AND executions.finished_at IS NULL
