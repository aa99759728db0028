UPDATE attempts
SET state = 'released'
WHERE (execution_id, task, attempt, epoch) IN (
    SELECT a.execution_id, a.task, a.attempt, a.epoch
    FROM jsonb_each(?1) AS j
    CROSS JOIN attempts AS a ON a.execution_id = unhex(j.value ->> 0)
    WHERE a.epoch = j.value ->> 1 AND a.state = 'lost'
)
