INSERT INTO {schema}.events (execution_id, at, kind, task, detail, key)
SELECT r.id, $1, r.kind, r.task, r.detail, r.key
FROM unnest($2::uuid [], $3::text [], $4::text [], $5::text [], $6::text [])
    AS r (id, kind, task, detail, key)
ON CONFLICT (execution_id, key) DO NOTHING
