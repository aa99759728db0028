INSERT INTO {schema}.events (execution_id, at, kind, detail)
VALUES ($1, $2, $3, $4)
