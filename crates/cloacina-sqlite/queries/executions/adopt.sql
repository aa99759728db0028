UPDATE executions
SET version = (
    SELECT j.value ->> 1
    FROM json_each(?1) AS j
    WHERE unhex(j.value ->> 0) = executions.id
)
WHERE id IN (SELECT unhex(j.value ->> 0) FROM json_each(?1) AS j)
