-- What there is under the names of a tenant, and whether it looks like a tenant's.
SELECT
    r.oid IS NOT NULL AS role_exists,
    (
        NOT (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls)
        AND EXISTS (
            SELECT FROM pg_auth_members AS m
            INNER JOIN pg_roles AS g ON g.oid = m.roleid
            WHERE m.member = r.oid AND g.rolname = $3
        )
    ) IS TRUE AS role_fits,
    n.oid IS NOT NULL AS schema_exists,
    EXISTS (
        SELECT FROM pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relname = 'cloacina_migrations' AND c.relowner = n.nspowner
    ) AS has_ledger,
    (
        n.nspowner = (SELECT me.oid FROM pg_roles AS me WHERE me.rolname = current_user)
        AND NOT EXISTS (
            SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relowner <> n.nspowner
        )
    ) IS TRUE AS is_owned
FROM (SELECT $1::text AS schema_name, $2::text AS username) AS asked
LEFT JOIN pg_roles AS r ON r.rolname = asked.username
LEFT JOIN pg_namespace AS n ON n.nspname = asked.schema_name
