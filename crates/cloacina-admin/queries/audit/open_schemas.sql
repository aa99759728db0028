SELECT
    format('PUBLIC has %s on schema %I', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), n.nspname)
        AS subject,
    format('REVOKE ALL ON SCHEMA %I FROM PUBLIC', n.nspname) AS remedy
FROM pg_namespace AS n
CROSS JOIN LATERAL aclexplode(n.nspacl) AS a
WHERE a.grantee = 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
GROUP BY n.nspname
ORDER BY n.nspname
