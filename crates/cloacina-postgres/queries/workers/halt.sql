-- No batch of a worker is committed before this transaction has ended, and one that has begun by then sees that the row is another.
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
