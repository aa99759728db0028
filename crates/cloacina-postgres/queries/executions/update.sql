-- Ends executions and lifts suspicion. A null status leaves the end alone. The list of ids leaves the planner no choice,
-- whatever its statistics say.
UPDATE {schema}.executions AS e
SET
    status = coalesce(j.value ->> 1, e.status),
    error = coalesce(j.value ->> 2, e.error),
    takeovers = CASE WHEN (j.value ->> 3)::boolean THEN 0 ELSE e.takeovers END,
    finished_at = CASE WHEN j.value ->> 1 IS NULL THEN NULL ELSE $2::timestamptz END
FROM json_array_elements($1::json) AS j (value)
WHERE
    e.id = ANY($3)
    AND e.id = (j.value ->> 0)::uuid
    AND e.finished_at IS NULL
