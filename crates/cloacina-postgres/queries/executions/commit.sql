-- What most batches consist of: executions that their submitter takes up at once, tasks that completed at the first attempt,
-- executions that complete. Nothing is written unless each execution that has a checkpoint is in the hands in which it is
-- expected; what is there already is an error.
--
-- Executions are locked in the order of their ids. Their owners and epochs are given in that order as well: they are compared by
-- their places. Columns become rows by set-returning functions in the list of what is selected: those in `FROM` would be
-- materialised first. The others hear of it if they are to (`sessions/tell`).
WITH found AS (
    SELECT e.status, e.owner, e.epoch
    FROM {schema}.executions AS e
    WHERE e.id = ANY($7)
    ORDER BY e.id
    FOR NO KEY UPDATE
),

verdict AS (
    SELECT
        coalesce(
            array_agg(CASE WHEN f.status = 'running' THEN f.owner END) = $8::uuid []
            AND array_agg(f.epoch) = $9::bigint [],
            cardinality($7::uuid []) = 0
        ) AS fits
    FROM found AS f
),

submits AS (
    INSERT INTO {schema}.executions (
        id, workflow, version, status, owner, epoch, created_at, started_at, input
    )
    SELECT r.id, r.workflow, r.version, 'running', $2, 1, $1, $1, r.input
    FROM (
        SELECT
            unnest($3::uuid []) AS id,
            unnest($4::text []) AS workflow,
            unnest($5::text []) AS version,
            unnest($6::text []) AS input
    ) AS r
    WHERE (SELECT v.fits FROM verdict AS v)
),

completions AS (
    INSERT INTO {schema}.tasks (
        execution_id, task, ordinal, state, attempts, started_at, ended_at, changes, output
    )
    SELECT
        r.execution_id, r.task, r.ordinal, 'completed', 1, r.started_at, r.ended_at, r.changes,
        r.output
    FROM (
        SELECT
            unnest($10::uuid []) AS execution_id,
            unnest($11::text []) AS task,
            unnest($12::bigint []) AS ordinal,
            unnest($13::timestamptz []) AS started_at,
            unnest($14::timestamptz []) AS ended_at,
            unnest($15::text []) AS changes,
            unnest($16::text []) AS output
    ) AS r
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
