UPDATE {schema}.executions AS e
SET
    owner = NULL,
    due_at = coalesce((j.value ->> 1)::timestamptz, e.due_at)
FROM json_array_elements($1::json) AS j (value)
WHERE e.id = ANY($2) AND e.id = (j.value ->> 0)::uuid
