SELECT
    format('role %I has %s', i.name, p.power) AS subject,
    format('ALTER ROLE %I NO%s', i.name, p.power) AS remedy
FROM confined AS i
INNER JOIN pg_roles AS r ON r.oid = i.oid
CROSS JOIN LATERAL (
    VALUES
    ('SUPERUSER', r.rolsuper),
    ('CREATEROLE', r.rolcreaterole),
    ('CREATEDB', r.rolcreatedb),
    ('REPLICATION', r.rolreplication),
    ('BYPASSRLS', r.rolbypassrls)
) AS p (power, is_there)
WHERE p.is_there
ORDER BY 1
