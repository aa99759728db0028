-- Whether workers own unfinished executions that are not on hold, and when the first that nobody owns falls due. One that
-- is due, of which most backlogs consist, ends the search.
SELECT
    EXISTS (
        SELECT 1
        FROM executions AS e INDEXED BY executions_owned
        WHERE
            e.owner IS NOT NULL
            AND e.finished_at IS NULL
            AND e.status IN ('pending', 'running')
    ) AS owned,
    CASE
        WHEN EXISTS (
            SELECT 1
            FROM executions AS e INDEXED BY executions_unowned
            WHERE
                e.owner IS NULL
                AND e.finished_at IS NULL
                AND e.status IN ('pending', 'running')
                AND (e.due_at IS NULL OR e.due_at <= ?1)
        ) THEN ?1
        ELSE (
            SELECT min(e.due_at)
            FROM executions AS e INDEXED BY executions_unowned
            WHERE
                e.owner IS NULL
                AND e.finished_at IS NULL
                AND e.status IN ('pending', 'running')
        )
    END AS due_at
