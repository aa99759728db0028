SELECT
    format('role %I owns %s objects in database %I', i.name, count(*), d.datname) AS subject,
    format('REASSIGN OWNED BY %I TO CURRENT_USER', i.name) AS remedy
FROM pg_shdepend AS o
INNER JOIN confined AS i ON i.oid = o.refobjid
INNER JOIN pg_database AS d ON d.oid = o.dbid OR (o.dbid = 0 AND d.datname = current_database())
WHERE o.refclassid = 'pg_authid'::regclass AND o.deptype = 'o'
GROUP BY i.name, d.datname
ORDER BY 1
