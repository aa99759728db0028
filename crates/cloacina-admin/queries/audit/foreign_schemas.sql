-- What PUBLIC has is told elsewhere.
SELECT
    format('role %I has %s on schema %I', i.name, p.privilege, n.nspname) AS subject,
    format('REVOKE %s ON SCHEMA %I FROM %I', p.privilege, n.nspname, i.name) AS remedy
FROM confined AS i
CROSS JOIN pg_namespace AS n
CROSS JOIN (VALUES ('USAGE'), ('CREATE')) AS p (privilege)
WHERE
    has_schema_privilege(i.oid, n.oid, p.privilege)
    AND NOT (
        p.privilege = 'USAGE'
        AND EXISTS (SELECT FROM tenant AS t WHERE t.role_oid = i.oid AND t.schema_oid = n.oid)
    )
    AND NOT EXISTS (
        SELECT FROM aclexplode(n.nspacl) AS a WHERE a.grantee = 0 AND a.privilege_type = p.privilege
    )
ORDER BY 1
