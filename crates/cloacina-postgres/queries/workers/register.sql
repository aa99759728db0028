INSERT INTO {schema}.workers (id, lock_key, registered_at, expires_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (id) DO UPDATE
SET lock_key = excluded.lock_key, expires_at = excluded.expires_at
