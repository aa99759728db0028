SELECT id, lock_key, expires_at FROM {schema}.workers WHERE id <> $1 ORDER BY id
