INSERT INTO {schema}.tasks (
    execution_id, task, ordinal, state, attempts, started_at, ended_at, skip_kind, skip_task,
    error, changes, output
)
SELECT
    r.id, t.task, t.ordinal, t.state, t.attempts, t.started_at, t.ended_at, t.skip_kind,
    t.skip_task, t.error, t.changes, t.output
FROM unnest($1::uuid [], $2::uuid []) AS r (id, retry_of)
CROSS JOIN LATERAL (
    SELECT * FROM {schema}.tasks AS o
    WHERE o.execution_id = r.retry_of AND o.state = 'completed'
) AS t
ON CONFLICT (execution_id, task) DO NOTHING
