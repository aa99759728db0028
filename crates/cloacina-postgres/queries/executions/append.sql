-- What a worker submits, without a key, and takes up at once. One that is there already is an error.
INSERT INTO {schema}.executions (
    id, workflow, version, status, owner, epoch, created_at, started_at, input
)
SELECT r.id, r.workflow, r.version, 'running', $2, 1, $1, $1, r.input
FROM unnest($3::uuid [], $4::text [], $5::text [], $6::text []) AS r (id, workflow, version, input)
