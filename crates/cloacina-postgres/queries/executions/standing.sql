SELECT e.id, e.status, e.owner, e.epoch
FROM {schema}.executions AS e
WHERE e.id = ANY($1)
