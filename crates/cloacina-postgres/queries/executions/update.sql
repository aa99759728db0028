-- Ends executions and lifts suspicion. A null status leaves the end alone.
-- Each row is looked up by itself, and then reached where it lies: that leaves the planner no choice, whatever its
-- statistics say. The rows are locked, so none moves meanwhile.
UPDATE {schema}.executions AS e
SET
    status = coalesce(r.status, e.status),
    error = coalesce(r.error, e.error),
    takeovers = CASE WHEN r.clears THEN 0 ELSE e.takeovers END,
    finished_at = CASE WHEN r.status IS NULL THEN NULL ELSE $1::timestamptz END
FROM
    unnest($2::uuid [], $3::text [], $4::text [], $5::boolean [])
        AS r (id, status, error, clears)
CROSS JOIN LATERAL (
    SELECT o.ctid FROM {schema}.executions AS o
    WHERE o.id = r.id AND o.finished_at IS NULL
    LIMIT 1
) AS found
WHERE e.ctid = found.ctid
