-- What there is to look after: a few looks at the beginning of an index, however many rows there are.
SELECT
    EXISTS (
        SELECT 1 FROM executions AS e INDEXED BY executions_owned
        WHERE e.owner = ?1 AND e.finished_at IS NULL
    ) AS own,
    EXISTS (
        SELECT 1 FROM executions AS e INDEXED BY executions_owned
        WHERE e.owner < ?1 AND e.finished_at IS NULL
    )
    OR EXISTS (
        SELECT 1 FROM executions AS e INDEXED BY executions_owned
        WHERE e.owner > ?1 AND e.finished_at IS NULL
    ) AS of_others,
    EXISTS (
        SELECT 1 FROM executions AS e INDEXED BY executions_unowned
        WHERE e.owner IS NULL AND e.finished_at IS NULL
    ) AS unowned,
    EXISTS (SELECT 1 FROM workers AS w WHERE w.id <> ?1 AND w.expires_at <= ?2) AS expired
