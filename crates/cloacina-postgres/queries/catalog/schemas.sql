-- The schemas that hold a ledger of ours and that this login may use; of those, or of all. With the roles for which each was made:
-- those that may write its executions and do not own it; and whether this login may turn into them.
--
-- Whoever owns a schema can plant in it what runs with the rights of those who write there. So it has to be the login itself, a
-- superuser, or a member of the role for which the schema was made, as the admin is that made both.
SELECT found.id, found.schema, found.roles, found.reachable
FROM (
    SELECT
        n.oid::bigint AS id,
        n.nspname::text AS schema,
        pg_catalog.pg_has_role(current_user, n.nspowner, 'USAGE')
        OR (o.rolsuper AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')) AS usable,
        array_agg(r.rolname::text ORDER BY r.rolname) FILTER (WHERE r.rolname IS NOT NULL) AS roles,
        array_agg(r.may_become ORDER BY r.rolname) FILTER (WHERE r.rolname IS NOT NULL) AS reachable
    FROM pg_catalog.pg_namespace AS n
    INNER JOIN pg_catalog.pg_roles AS o ON o.oid = n.nspowner
    INNER JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
    LEFT JOIN LATERAL (
        SELECT
            a.rolname,
            pg_catalog.pg_has_role(
                current_user,
                a.oid,
                CASE
                    WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET'
                    ELSE 'MEMBER'
                END
            ) AS may_become
        FROM pg_catalog.aclexplode(n.nspacl) AS g
        INNER JOIN pg_catalog.pg_roles AS a ON a.oid = g.grantee
        INNER JOIN pg_catalog.pg_class AS e ON e.relnamespace = n.oid AND e.relname = 'executions'
        WHERE
            g.privilege_type = 'USAGE'
            AND a.oid <> n.nspowner
            AND a.rolname <> current_user
            AND pg_catalog.pg_has_role(n.nspowner, a.oid, 'MEMBER')
            AND pg_catalog.has_table_privilege(a.oid, e.oid, 'INSERT')
    ) AS r ON TRUE
    WHERE
        c.relname = 'cloacina_migrations'
        AND c.relkind = 'r'
        AND c.relowner = n.nspowner
        AND ($1::text [] IS NULL OR n.nspname = ANY($1))
    GROUP BY n.oid, n.nspname, n.nspowner, o.rolsuper
) AS found
WHERE found.usable OR TRUE = ANY(found.reachable)
ORDER BY found.schema
