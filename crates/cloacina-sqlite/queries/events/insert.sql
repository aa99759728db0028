-- Goes before the other rows of its checkpoint: if the row that keys the checkpoint exists, this is a repeat. Where
-- nothing keys it, an equal event of the same epoch does.
INSERT INTO events (execution_id, at, epoch, kind, task, detail)
SELECT
    unhex(j.value ->> 0),
    ?2,
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    j.value ->> 4
FROM jsonb_each(?1) AS j
WHERE
    CASE j.value ->> 5
        WHEN 'task' THEN NOT EXISTS (
            SELECT 1
            FROM tasks AS t
            WHERE t.execution_id = unhex(j.value ->> 0) AND t.task = j.value ->> 6
        )
        WHEN 'failure' THEN NOT EXISTS (
            SELECT 1
            FROM attempts AS a
            WHERE
                a.execution_id = unhex(j.value ->> 0)
                AND a.task = j.value ->> 6
                AND a.attempt = j.value ->> 7
                AND a.epoch = j.value ->> 1
                AND a.state <> 'running'
        )
        WHEN 'start' THEN NOT EXISTS (
            SELECT 1
            FROM attempts AS a
            WHERE
                a.execution_id = unhex(j.value ->> 0)
                AND a.task = j.value ->> 6
                AND a.attempt = j.value ->> 7
                AND a.epoch = j.value ->> 1
        )
        ELSE NOT EXISTS (
            SELECT 1
            FROM events AS e
            WHERE
                e.execution_id = unhex(j.value ->> 0)
                AND e.epoch = j.value ->> 1
                AND e.kind = j.value ->> 2
                AND e.task IS j.value ->> 3
                AND e.detail = j.value ->> 4
        )
    END
