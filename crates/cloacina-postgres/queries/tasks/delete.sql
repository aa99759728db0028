DELETE FROM {schema}.tasks
WHERE execution_id = ANY($1)
