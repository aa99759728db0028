-- Ends executions and lifts suspicion. A null status leaves the end alone.
--
-- Every row exists, so that each insert turns into an update. `UPDATE ... FROM` would leave the order of the join to
-- the planner, which reads the whole table where its statistics are old.
INSERT INTO executions (
    id, workflow, version, status, epoch, takeovers, error, created_at, finished_at, input
)
SELECT
    e.id,
    e.workflow,
    e.version,
    coalesce(j.column2, e.status),
    e.epoch,
    iif(j.column4, 0, e.takeovers),
    j.column3,
    e.created_at,
    j.column5,
    ''
FROM (VALUES (?, ?, ?, ?, ?)) AS j
CROSS JOIN executions AS e ON e.id = j.column1
WHERE e.finished_at IS NULL
ON CONFLICT (id) DO UPDATE
SET
    status = excluded.status,
    takeovers = excluded.takeovers,
    error = excluded.error,
    finished_at = excluded.finished_at
