INSERT INTO workers (id, registered_at, expires_at)
VALUES (?1, ?2, ?3)
ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at
