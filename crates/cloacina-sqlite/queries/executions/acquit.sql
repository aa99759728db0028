-- The deaths that count are the latest of those that stand: whoever lifts suspicion sets the count to 0.
UPDATE executions
SET takeovers = takeovers - 1
WHERE id IN (
    SELECT e.id
    FROM jsonb_each(?1) AS j
    CROSS JOIN executions AS e ON e.id = unhex(j.value ->> 0)
    WHERE e.takeovers > (
        SELECT count(*)
        FROM events AS l
        WHERE
            l.execution_id = e.id
            AND l.kind = 'recovered'
            AND l.seq > (
                SELECT d.seq
                FROM events AS d
                WHERE d.execution_id = e.id AND d.key = 'recovered ' || (j.value ->> 1)
            )
            AND NOT EXISTS (
                SELECT 1
                FROM events AS a
                WHERE
                    a.execution_id = l.execution_id
                    AND a.key = replace(l.key, 'recovered', 'acquitted')
            )
    )
)
