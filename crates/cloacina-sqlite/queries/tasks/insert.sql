INSERT INTO tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
SELECT
    unhex(j.value ->> 0),
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    j.value ->> 4,
    j.value ->> 5,
    j.value ->> 6,
    j.value ->> 7,
    j.value ->> 8,
    j.value ->> 9,
    j.value ->> 10,
    j.value ->> 11
FROM jsonb_each(?1) AS j
WHERE true
ON CONFLICT (execution_id, task) DO NOTHING
