INSERT INTO {schema}.tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
SELECT
    (j.value ->> 0)::uuid, t.task, t.ordinal, t.state, t.attempts, t.started_at, t.ended_at,
    t.skip_kind, t.skip_task, t.error, t.changes, t.output
FROM json_array_elements($1::json) AS j (value)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.tasks AS o
    WHERE o.execution_id = (j.value ->> 1)::uuid AND o.state = 'completed'
) AS t
ON CONFLICT (execution_id, task) DO NOTHING
