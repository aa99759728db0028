UPDATE executions INDEXED BY executions_owned
SET owner = NULL
WHERE owner IS NOT NULL AND owner = ?1 AND finished_at IS NULL
