-- No batch of a worker is committed before this transaction has ended, and one that has begun by then sees that the row is another.
-- It takes both: an update alone does not wait for those who share a lock of the row, and a lock alone leaves its version as it is.
WITH held AS (
    SELECT w.id
    FROM {schema}.workers AS w
    WHERE w.id = $1
    FOR UPDATE
)

UPDATE {schema}.workers AS w
SET expires_at = w.expires_at
FROM held AS h
WHERE w.id = h.id
