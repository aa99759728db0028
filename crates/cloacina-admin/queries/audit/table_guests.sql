-- The tenant's role may read and write its tables, and read the ledger; nobody else has a right there.
SELECT
    format('role %s has %s on %I.%I', g.name, string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), n.nspname, c.relname)
        AS subject,
    format('REVOKE %s ON %I.%I FROM %s', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), n.nspname, c.relname, g.name)
        AS remedy
FROM pg_class AS c
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN tenant AS t ON t.schema_oid = n.oid
CROSS JOIN LATERAL aclexplode(c.relacl) AS a
CROSS JOIN LATERAL (
    SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS name
) AS g
WHERE
    (t.schema_oid IS NOT NULL OR n.nspname = 'cloacina_admin')
    AND a.grantee <> c.relowner
    AND NOT (
        a.grantee IS NOT DISTINCT FROM t.role_oid
        AND NOT a.is_grantable
        AND CASE
            WHEN c.relkind = 'S' THEN a.privilege_type IN ('USAGE', 'SELECT')
            WHEN c.relname = 'cloacina_migrations' THEN a.privilege_type = 'SELECT'
            ELSE a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        END
    )
GROUP BY n.nspname, c.relname, g.name
ORDER BY 1
