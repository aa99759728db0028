INSERT INTO events (execution_id, at, kind, task, detail, key)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (execution_id, key) DO NOTHING
