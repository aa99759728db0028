-- Locks executions in the order in which they are given, and tells of those that are not in the hands in which they are
-- expected, or not there. Each row is looked up by itself: that leaves the planner no choice, whatever its statistics say.
SELECT r.id, found.status, found.owner, found.epoch
FROM unnest($1::uuid [], $2::uuid [], $3::bigint []) AS r (id, owner, epoch)
LEFT JOIN LATERAL (
    SELECT e.status, e.owner, e.epoch
    FROM {schema}.executions AS e
    WHERE e.id = r.id
    LIMIT 1
    FOR NO KEY UPDATE
) AS found ON true
WHERE (found.owner = r.owner AND found.epoch = r.epoch AND found.status = 'running') IS NOT TRUE
