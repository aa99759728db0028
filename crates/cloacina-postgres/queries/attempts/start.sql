-- A row that is there already stays as it is, but for how far the attempt has come.
INSERT INTO {schema}.attempts AS a (
    execution_id, task, attempt, epoch, state, company, started_at, progress
)
SELECT
    (j.value ->> 0)::uuid,
    j.value ->> 1,
    (j.value ->> 2)::bigint,
    (j.value ->> 3)::bigint,
    'running',
    j.value ->> 4,
    (j.value ->> 5)::timestamptz,
    j.value ->> 6
FROM json_array_elements($1::json) AS j (value)
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET progress = excluded.progress
WHERE a.state = 'running' AND excluded.progress IS NOT NULL
