-- A scalar sub-select leaves the planner no choice of a join.
INSERT INTO {schema}.events (execution_id, at, kind, detail, key)
SELECT
    (j.value ->> 0)::uuid,
    $2,
    'acquitted',
    'its owner under epoch ' || (j.value ->> 1) || ' lives',
    'acquitted ' || (j.value ->> 1)
FROM json_array_elements($1::json) AS j (value)
WHERE (
    SELECT d.seq
    FROM {schema}.events AS d
    WHERE d.execution_id = (j.value ->> 0)::uuid AND d.key = 'recovered ' || (j.value ->> 1)
) IS NOT NULL
ON CONFLICT (execution_id, key) DO NOTHING
RETURNING execution_id AS id
