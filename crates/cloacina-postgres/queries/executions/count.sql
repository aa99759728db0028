SELECT
    status,
    count(*) AS executions,
    count(finished_at - started_at) AS measured,
    coalesce(sum(extract(EPOCH FROM finished_at - started_at)), 0)::float8 AS duration
FROM {schema}.executions
GROUP BY status
