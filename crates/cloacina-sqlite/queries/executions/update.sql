-- Ends executions and lifts suspicion. A null status leaves the end alone.
UPDATE executions
SET
    status = coalesce(j.value ->> 1, executions.status),
    error = j.value ->> 2,
    finished_at = iif(j.value ->> 1 IS NULL, NULL, ?2),
    takeovers = iif(j.value ->> 3, 0, executions.takeovers)
FROM jsonb_each(?1) AS j
WHERE executions.id = unhex(j.value ->> 0) AND executions.finished_at IS NULL
