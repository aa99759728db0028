SELECT DISTINCT
    format('role %I may connect to database %I', i.name, d.datname) AS subject,
    format('REVOKE ALL ON DATABASE %I FROM %I', d.datname, i.name) AS remedy
FROM pg_database AS d
CROSS JOIN LATERAL aclexplode(d.datacl) AS a
INNER JOIN confined AS i ON i.oid = a.grantee
WHERE d.datname <> current_database()
ORDER BY 1
