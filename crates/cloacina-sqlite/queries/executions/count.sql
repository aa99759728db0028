SELECT
    status,
    count(*) AS executions,
    count(finished_at - started_at) AS measured,
    total(finished_at - started_at) AS duration
FROM executions
GROUP BY status
