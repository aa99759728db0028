-- Times are microseconds since 1970 in UTC, ids are the 16 bytes of a UUID.

-- One row an execution. The input comes last, so that a scan does not read it.
CREATE TABLE executions (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workflow TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL
        CHECK (status IN ('pending', 'running', 'paused', 'completed', 'failed', 'cancelled')),
    idempotency_key TEXT,
    retry_of BLOB,
    owner BLOB,
    epoch INTEGER NOT NULL,
    takeovers INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    created_at INTEGER NOT NULL,
    due_at INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    input TEXT NOT NULL,
    CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed', 'cancelled')))
) STRICT, WITHOUT ROWID;

-- What a claim looks through; what is owned or has ended is not in it.
CREATE INDEX executions_unowned ON executions (workflow, version, due_at, id)
    WHERE owner IS NULL AND finished_at IS NULL;

-- What a retirement or a burial frees.
CREATE INDEX executions_owned ON executions (owner)
    WHERE owner IS NOT NULL AND finished_at IS NULL;

CREATE UNIQUE INDEX executions_idempotency_key ON executions (idempotency_key)
    WHERE idempotency_key IS NOT NULL;

-- One row a task, written once, when it ends.
CREATE TABLE tasks (
    execution_id BLOB NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('completed', 'failed', 'skipped', 'cancelled')),
    attempts INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    skip_kind TEXT CHECK (skip_kind IN ('condition', 'upstream_skipped', 'upstream_failed')),
    skip_task TEXT,
    error TEXT,
    changes TEXT,
    output TEXT,
    PRIMARY KEY (execution_id, task),
    CHECK ((skip_task IS NOT NULL) = (coalesce(skip_kind, 'condition') <> 'condition'))
) STRICT, WITHOUT ROWID;

-- Attempts that are on record: failed ones, and those that began and had to be seen.
CREATE TABLE attempts (
    execution_id BLOB NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    task TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('running', 'failed', 'lost', 'released')),
    company TEXT NOT NULL CHECK (company IN ('shared', 'alone')),
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    retry_at INTEGER,
    error TEXT,
    PRIMARY KEY (execution_id, task, attempt, epoch),
    CHECK ((ended_at IS NULL) = (state = 'running'))
) STRICT, WITHOUT ROWID;

-- What the other tables do not tell. Only ever appended to.
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY,
    execution_id BLOB NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
    at INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    kind TEXT NOT NULL,
    task TEXT,
    detail TEXT NOT NULL
) STRICT;

CREATE INDEX events_execution ON events (execution_id, seq);

-- What each version of a workflow consists of.
CREATE TABLE workflows (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    structure TEXT NOT NULL,
    PRIMARY KEY (name, version)
) STRICT, WITHOUT ROWID;

-- Workers that have a lease, or had one until lately.
CREATE TABLE workers (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    registered_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
