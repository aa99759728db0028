SELECT
    EXISTS (
        SELECT 1
        FROM {schema}.executions AS e
        WHERE e.owner IS NOT NULL AND e.finished_at IS NULL AND e.status <> 'paused'
    ) AS owned,
    CASE
        WHEN
            EXISTS (
                SELECT 1
                FROM {schema}.executions AS e
                WHERE
                    e.owner IS NULL
                    AND e.status IN ('pending', 'running')
                    AND (e.due_at IS NULL OR e.due_at <= clock_timestamp())
            )
            THEN 0
        ELSE (
            SELECT extract(EPOCH FROM min(e.due_at) - clock_timestamp())::float8
            FROM {schema}.executions AS e
            WHERE e.owner IS NULL AND e.status IN ('pending', 'running')
        )
    END AS next_due
