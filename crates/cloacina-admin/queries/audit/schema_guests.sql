SELECT DISTINCT
    format('role %s has %s on schema %I', a.grantee::regrole, a.privilege_type, n.nspname) AS subject,
    format('REVOKE %s ON SCHEMA %I FROM %s', a.privilege_type, n.nspname, a.grantee::regrole) AS remedy
FROM pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
LEFT JOIN tenant AS t ON t.schema_oid = n.oid
WHERE
    (t.schema_oid IS NOT NULL OR n.nspname = 'cloacina_admin')
    AND a.grantee NOT IN (0, n.nspowner)
    AND a.grantee IS DISTINCT FROM t.role_oid
    -- Told as a schema that is not theirs.
    AND NOT EXISTS (SELECT FROM confined AS i WHERE i.oid = a.grantee)
ORDER BY 1
