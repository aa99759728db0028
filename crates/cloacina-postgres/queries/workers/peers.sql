-- Bounded: a tenant can fill its own table.
SELECT count(*) AS peers
FROM (SELECT 1 FROM {schema}.workers WHERE id <> $1 LIMIT 1000) AS w
