-- The schemas that hold a ledger of ours and that this login may use; of those, or of all. With the roles as which to work in each:
-- those that may use it, do not own it, and of which this login is a member that may turn into them.
SELECT found.schema, found.roles
FROM (
    SELECT
        n.nspname::text AS schema,
        pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS usable,
        ARRAY(
            SELECT r.rolname::text
            FROM pg_catalog.aclexplode(n.nspacl) AS a
            INNER JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee
            WHERE
                a.privilege_type = 'USAGE'
                AND a.grantee <> n.nspowner
                AND r.rolname <> current_user
                AND pg_catalog.pg_has_role(
                    current_user,
                    a.grantee,
                    CASE
                        WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET'
                        ELSE 'MEMBER'
                    END
                )
            ORDER BY 1
            LIMIT 2
        ) AS roles
    FROM pg_catalog.pg_namespace AS n
    INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
    WHERE
        c.relname = 'cloacina_migrations'
        AND c.relkind = 'r'
        AND ($1::text [] IS NULL OR n.nspname = ANY($1))
) AS found
WHERE found.usable OR found.roles <> '{}'
ORDER BY found.schema
