UPDATE {schema}.executions AS e
SET version = j.value ->> 1
FROM json_array_elements($1::json) AS j (value)
WHERE e.id = ANY($2) AND e.id = (j.value ->> 0)::uuid
