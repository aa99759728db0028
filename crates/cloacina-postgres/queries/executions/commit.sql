-- What most batches consist of: executions that their submitter takes up at once, tasks that completed at the first attempt,
-- executions that complete. Nothing is written unless each execution that has a checkpoint is in the hands in which it is
-- expected; what is there already is an error.
--
-- Executions are locked in the order in which they are given, each looked up by itself: that leaves the planner no choice, whatever
-- its statistics say. The others hear of it if they are to (`sessions/tell`).
WITH found AS (
    SELECT now.status = 'running' AND now.owner = r.owner AND now.epoch = r.epoch AS fits
    FROM unnest($7::uuid [], $8::uuid [], $9::bigint []) AS r (id, owner, epoch)
    LEFT JOIN LATERAL (
        SELECT e.status, e.owner, e.epoch
        FROM {schema}.executions AS e
        WHERE e.id = r.id
        LIMIT 1
        FOR NO KEY UPDATE
    ) AS now ON true
),

verdict AS (
    SELECT count(*) FILTER (WHERE f.fits IS NOT TRUE) = 0 AS fits FROM found AS f
),

submits AS (
    INSERT INTO {schema}.executions (
        id, workflow, version, status, owner, epoch, created_at, started_at, input
    )
    SELECT r.id, r.workflow, r.version, 'running', $2, 1, $1, $1, r.input
    FROM unnest($3::uuid [], $4::text [], $5::text [], $6::text [])
        AS r (id, workflow, version, input)
    WHERE (SELECT v.fits FROM verdict AS v)
),

completions AS (
    INSERT INTO {schema}.tasks (
        execution_id, task, ordinal, state, attempts, started_at, ended_at, changes, output
    )
    SELECT
        r.execution_id, r.task, r.ordinal, 'completed', 1, r.started_at, r.ended_at, r.changes,
        r.output
    FROM unnest(
        $10::uuid [], $11::text [], $12::bigint [], $13::timestamptz [], $14::timestamptz [],
        $15::text [], $16::text []
    ) AS r (execution_id, task, ordinal, started_at, ended_at, changes, output)
    WHERE (SELECT v.fits FROM verdict AS v)
),

ends AS (
    UPDATE {schema}.executions AS e
    SET status = 'completed', finished_at = $1
    WHERE e.id = ANY($17) AND e.finished_at IS NULL AND (SELECT v.fits FROM verdict AS v)
)

SELECT
    v.fits,
    CASE WHEN $18 THEN pg_notify('cloacina_' || $19, $20) END AS told,
    CASE WHEN $18 THEN pg_notify('cloacina', $19) END AS told_all
FROM verdict AS v
