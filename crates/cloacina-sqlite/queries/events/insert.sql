INSERT INTO events (execution_id, at, kind, task, detail, key)
SELECT
    unhex(j.value ->> 0),
    ?2,
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    j.value ->> 4
FROM jsonb_each(?1) AS j
WHERE true
ON CONFLICT (execution_id, key) DO NOTHING
