-- The deaths that count are the latest of those that stand: whoever lifts suspicion sets the count to 0.
UPDATE {schema}.executions AS e
SET takeovers = e.takeovers - 1
FROM json_array_elements($1::json) AS j (value)
WHERE
    e.id = ANY($2)
    AND e.id = (j.value ->> 0)::uuid
    AND e.takeovers > (
        SELECT count(*)
        FROM {schema}.events AS l
        WHERE
            l.execution_id = e.id
            AND l.kind = 'recovered'
            AND l.seq > (
                SELECT d.seq
                FROM {schema}.events AS d
                WHERE d.execution_id = e.id AND d.key = 'recovered ' || (j.value ->> 1)
            )
            AND NOT EXISTS (
                SELECT 1
                FROM {schema}.events AS a
                WHERE
                    a.execution_id = l.execution_id
                    AND a.key = replace(l.key, 'recovered', 'acquitted')
            )
    )
