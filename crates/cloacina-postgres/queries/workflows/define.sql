INSERT INTO {schema}.workflows (name, version, structure)
SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2
FROM json_array_elements($1::json) AS j (value)
ON CONFLICT (name, version) DO NOTHING
