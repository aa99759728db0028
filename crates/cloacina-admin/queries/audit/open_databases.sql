SELECT
    format('PUBLIC has %s on database %I', string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type), d.datname)
        AS subject,
    format('REVOKE ALL ON DATABASE %I FROM PUBLIC', d.datname) AS remedy
FROM pg_database AS d
CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
WHERE a.grantee = 0 AND d.datallowconn
GROUP BY d.datname
ORDER BY d.datname
