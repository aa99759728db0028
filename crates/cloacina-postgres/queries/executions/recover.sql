UPDATE {schema}.executions
SET owner = NULL, takeovers = takeovers + 1
WHERE owner = $1 AND finished_at IS NULL
