-- A row that tells of the failure already stays as it is: its times are those of the first commit.
INSERT INTO {schema}.attempts AS a (
    execution_id, task, attempt, epoch, state, company, started_at, ended_at, retry_at, error
)
SELECT
    (j.value ->> 0)::uuid,
    j.value ->> 1,
    (j.value ->> 2)::bigint,
    (j.value ->> 3)::bigint,
    'failed',
    'shared',
    (j.value ->> 4)::timestamptz,
    (j.value ->> 5)::timestamptz,
    (j.value ->> 6)::timestamptz,
    j.value ->> 7
FROM json_array_elements($1::json) AS j (value)
ON CONFLICT (execution_id, task, attempt, epoch) DO UPDATE
SET
    state = excluded.state,
    started_at = excluded.started_at,
    ended_at = excluded.ended_at,
    retry_at = excluded.retry_at,
    error = excluded.error
WHERE a.state = 'running'
