CREATE TABLE {schema}.executions (
    id uuid NOT NULL PRIMARY KEY,
    workflow text NOT NULL,
    version text NOT NULL,
    status text NOT NULL CHECK (
        status IN ('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')
    ),
    idempotency_key text,
    retry_of uuid,
    owner uuid,
    epoch bigint NOT NULL CHECK (epoch >= 0),
    takeovers bigint NOT NULL DEFAULT 0 CHECK (takeovers >= 0),
    error text,
    created_at timestamptz NOT NULL,
    due_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    input text NOT NULL,
    CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))
);

CREATE UNIQUE INDEX executions_idempotency_key
ON {schema}.executions (idempotency_key)
WHERE idempotency_key IS NOT NULL;

-- What a worker owns. Its rows leave the index when they end.
CREATE INDEX executions_owned
ON {schema}.executions (owner)
WHERE owner IS NOT NULL AND finished_at IS NULL;

-- What may be claimed, in the order of its claims.
CREATE INDEX executions_unowned
ON {schema}.executions (workflow, version, due_at, id)
WHERE owner IS NULL AND status IN ('pending', 'running');

CREATE INDEX executions_finished
ON {schema}.executions (finished_at)
WHERE finished_at IS NOT NULL;

-- A task's row is written once, when it ends.
CREATE TABLE {schema}.tasks (
    execution_id uuid NOT NULL REFERENCES {schema}.executions (id) ON DELETE CASCADE,
    task text NOT NULL,
    ordinal bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('completed', 'failed', 'skipped', 'cancelled')),
    attempts bigint NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz NOT NULL,
    skip_kind text CHECK (skip_kind IN ('condition', 'upstream_skipped', 'upstream_failed')),
    skip_task text,
    error text,
    changes text,
    output text,
    PRIMARY KEY (execution_id, task),
    CHECK ((skip_task IS NOT NULL) = (coalesce(skip_kind, 'condition') <> 'condition'))
);

-- Attempts that are on record: failed ones, and those that began and had to be seen.
CREATE TABLE {schema}.attempts (
    execution_id uuid NOT NULL REFERENCES {schema}.executions (id) ON DELETE CASCADE,
    task text NOT NULL,
    attempt bigint NOT NULL,
    epoch bigint NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'failed', 'lost', 'released')),
    company text NOT NULL CHECK (company IN ('shared', 'alone')),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    retry_at timestamptz,
    error text,
    PRIMARY KEY (execution_id, task, attempt, epoch),
    CHECK ((ended_at IS NULL) = (state = 'running'))
);

-- What the other tables do not tell. Only ever appended to.
CREATE TABLE {schema}.events (
    seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    execution_id uuid NOT NULL REFERENCES {schema}.executions (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    task text,
    detail text NOT NULL,
    -- Of an owner's event: a repeated checkpoint does not tell it twice.
    key text,
    UNIQUE (execution_id, key)
);

-- What each version of a workflow consists of.
CREATE TABLE {schema}.workflows (
    name text NOT NULL,
    version text NOT NULL,
    structure text NOT NULL,
    PRIMARY KEY (name, version)
);

-- Workers that have a lease, or had one until lately.
CREATE TABLE {schema}.workers (
    id uuid NOT NULL PRIMARY KEY,
    -- The session of a living worker holds an advisory lock under this key; null where sessions prove nothing.
    lock_key bigint,
    registered_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
