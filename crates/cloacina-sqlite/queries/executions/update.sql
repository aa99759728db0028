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
    coalesce(j.value ->> 1, e.status),
    e.epoch,
    iif(j.value ->> 3, 0, e.takeovers),
    j.value ->> 2,
    e.created_at,
    iif(j.value ->> 1 IS NULL, NULL, ?2),
    ''
FROM jsonb_each(?1) AS j
CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0)
WHERE e.finished_at IS NULL
ON CONFLICT (id) DO UPDATE
SET
    status = excluded.status,
    takeovers = excluded.takeovers,
    error = excluded.error,
    finished_at = excluded.finished_at
