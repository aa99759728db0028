UPDATE {schema}.attempts AS a
SET state = 'released'
FROM json_array_elements($1::json) AS j (value)
WHERE
    a.execution_id = ANY($2)
    AND a.execution_id = (j.value ->> 0)::uuid
    AND a.epoch = (j.value ->> 1)::bigint
    AND a.state = 'lost'
