INSERT INTO {schema}.tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
SELECT
    (j.value ->> 0)::uuid,
    j.value ->> 1,
    (j.value ->> 2)::bigint,
    j.value ->> 3,
    (j.value ->> 4)::bigint,
    (j.value ->> 5)::timestamptz,
    (j.value ->> 6)::timestamptz,
    j.value ->> 7,
    j.value ->> 8,
    j.value ->> 9,
    j.value ->> 10,
    j.value ->> 11
FROM json_array_elements($1::json) AS j (value)
ON CONFLICT (execution_id, task) DO NOTHING
