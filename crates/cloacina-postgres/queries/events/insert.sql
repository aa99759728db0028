INSERT INTO {schema}.events (execution_id, at, kind, task, detail, key)
SELECT
    (j.value ->> 0)::uuid,
    $2,
    j.value ->> 1,
    j.value ->> 2,
    j.value ->> 3,
    j.value ->> 4
FROM json_array_elements($1::json) AS j (value)
ON CONFLICT (execution_id, key) DO NOTHING
