INSERT INTO workflows (name, version, structure)
SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2
FROM jsonb_each(?1) AS j
WHERE true
ON CONFLICT (name, version) DO NOTHING
