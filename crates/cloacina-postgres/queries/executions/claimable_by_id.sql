-- They come in order, and the loop over them ends at the limit: no plan locks more than it gives.
WITH wanted AS MATERIALIZED (
    SELECT DISTINCT
        (k.value ->> 0)::uuid AS id,
        (k.value ->> 1)::bigint AS epoch
    FROM json_array_elements($1::json) AS k (value)
    ORDER BY id
)
SELECT e.id
FROM wanted AS w
CROSS JOIN LATERAL (
    SELECT r.id
    FROM {schema}.executions AS r
    WHERE
        r.id = w.id
        AND r.epoch = w.epoch
        AND r.owner IS NULL
        AND r.status IN ('pending', 'running')
        AND (r.due_at IS NULL OR r.due_at <= $2)
    FOR NO KEY UPDATE SKIP LOCKED
) AS e
LIMIT $3
