-- Nobody is granted single columns.
SELECT
    format('role %s has %s on column %I of %I.%I', g.name, a.privilege_type, f.attname, n.nspname, c.relname) AS subject,
    format('REVOKE %s (%I) ON %I.%I FROM %s', a.privilege_type, f.attname, n.nspname, c.relname, g.name) AS remedy
FROM pg_attribute AS f
INNER JOIN pg_class AS c ON c.oid = f.attrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(f.attacl) AS a
CROSS JOIN LATERAL (
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS name
) AS g
WHERE n.nspname = 'cloacina_admin' OR EXISTS (SELECT FROM tenant AS t WHERE t.schema_oid = n.oid)
ORDER BY 1
