SELECT j.value ->> 0 AS name, j.value ->> 1 AS version
FROM json_array_elements($1::json) AS j (value)
WHERE NOT EXISTS (
    SELECT 1
    FROM {schema}.workflows AS w
    WHERE w.name = j.value ->> 0 AND w.version = j.value ->> 1
)
