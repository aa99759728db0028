-- What most batches consist of: executions that their submitter takes up at once, tasks that completed at the first attempt,
-- executions that complete. It fails if an execution that has a checkpoint is not in the hands in which it is expected, or
-- something is there already. Columns become rows by set-returning functions in the list of what is selected: those in `FROM`
-- would be materialised first.
WITH owner AS (
    -- Guards many executions ($7, and $18 if $22), which are not locked one by one: whoever else takes one from its worker,
    -- or ends or pauses it, has the worker's row to itself meanwhile, and changes or deletes it (`workers/halt`). So if that row
    -- is as it was when this statement began, so are they.
    SELECT w.id
    FROM {schema}.workers AS w
    WHERE w.id = $9 AND w.xmin = (SELECT s.xmin FROM {schema}.workers AS s WHERE s.id = $9)
    FOR KEY SHARE
),

locked AS (
    -- In the order of their ids, so that no two transactions wait for each other.
    SELECT e.epoch
    FROM {schema}.executions AS e
    WHERE e.id = ANY($8) AND e.status = 'running' AND e.owner = $9
    ORDER BY e.id
    FOR NO KEY UPDATE
),

ends AS (
    UPDATE {schema}.executions AS e
    SET status = 'completed', finished_at = $1
    WHERE
        e.id = ANY($18)
        AND e.status = 'running'
        AND e.owner = CASE WHEN $22 THEN (SELECT o.id FROM owner AS o) ELSE $9 END
    RETURNING e.epoch
),

found AS (
    -- What the lock of the worker's row guards comes first, and so does that lock.
    SELECT e.epoch
    FROM {schema}.executions AS e
    WHERE e.id = ANY($7) AND e.status = 'running' AND e.owner = (SELECT o.id FROM owner AS o)
    UNION ALL
    SELECT e.epoch
    FROM ends AS e
    WHERE $22
    UNION ALL
    SELECT l.epoch
    FROM locked AS l
),

verdict AS (
    -- Epochs only grow, and none is expected to be greater than it is: if their sum is as expected, each is.
    SELECT
        count(*) = cardinality($7::uuid []) + cardinality($8::uuid [])
        + CASE WHEN $22 THEN cardinality($18::uuid []) ELSE 0 END
        AND coalesce(sum(f.epoch), 0) = $10::bigint AS fits
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
            unnest($11::uuid []) AS execution_id,
            unnest($12::text []) AS task,
            unnest($13::bigint []) AS ordinal,
            unnest($14::timestamptz []) AS started_at,
            unnest($15::timestamptz []) AS ended_at,
            unnest($16::text []) AS changes,
            unnest($17::text []) AS output
    ) AS r
)

-- A text that is no boolean fails, and says why in the server's log as well. The others hear of what is committed if they are to (`sessions/tell`).
SELECT
    CASE
        WHEN v.fits THEN TRUE
        ELSE cast('an execution is not in the hands in which it was expected: ' || coalesce(v.fits, FALSE) AS boolean)
    END AS fits,
    CASE WHEN $19 THEN pg_notify('cloacina_' || $20, $21) END AS told,
    CASE WHEN $19 THEN pg_notify('cloacina', $20) END AS told_all
FROM verdict AS v
