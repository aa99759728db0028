-- Every row exists, so that each insert turns into an update. `UPDATE ... FROM` would leave the order of the join to
-- the planner, which reads the whole table where its statistics are old.
INSERT INTO executions (
    id, workflow, version, status, epoch, takeovers, created_at, due_at, input
)
SELECT
    e.id,
    e.workflow,
    e.version,
    e.status,
    e.epoch,
    e.takeovers,
    e.created_at,
    coalesce(j.value ->> 3, e.due_at),
    ''
FROM jsonb_each(?1) AS j
CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0)
WHERE
    e.owner = unhex(j.value ->> 1)
    AND e.epoch = j.value ->> 2
    AND e.finished_at IS NULL
ON CONFLICT (id) DO UPDATE
SET
    owner = NULL,
    due_at = excluded.due_at
