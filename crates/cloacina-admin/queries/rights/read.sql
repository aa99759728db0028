-- What the admin may do, and what the database leaves open.
SELECT
    current_user::text AS admin,
    current_setting('server_version_num')::integer AS version,
    me.rolsuper AS is_superuser,
    me.rolcreaterole AS creates_roles,
    me.rolinherit AS inherits,
    has_database_privilege(d.oid, 'CREATE') AS creates_schemas,
    pg_has_role(d.datdba, 'USAGE') AS owns_database,
    has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') AS grants_connect,
    pg_has_role(p.nspowner, 'USAGE') IS TRUE AS owns_public,
    g.oid IS NOT NULL AS group_exists,
    (
        g.rolcanlogin OR g.rolsuper OR g.rolcreaterole OR g.rolcreatedb OR g.rolreplication OR g.rolbypassrls
    ) IS TRUE AS group_has_powers,
    pg_has_role(g.oid, 'MEMBER WITH ADMIN OPTION') IS TRUE AS grants_group,
    EXISTS (
        SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
        WHERE a.grantee = g.oid AND a.privilege_type = 'CONNECT'
    ) AS group_connects,
    EXISTS (
        SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
        WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT'
    ) AS public_connects,
    EXISTS (
        SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
        WHERE a.grantee = 0
    ) AS database_is_open,
    EXISTS (
        SELECT FROM aclexplode(coalesce(p.nspacl, acldefault('n', p.nspowner))) AS a
        WHERE a.grantee = 0
    ) AS public_is_open,
    r.oid IS NOT NULL AS runtime_exists,
    (r.rolcanlogin AND NOT r.rolinherit AND NOT r.rolsuper) IS TRUE AS runtime_fits,
    coalesce(has_database_privilege(r.oid, d.oid, 'CONNECT'), true) AS runtime_connects,
    b.oid IS NOT NULL AS registry_exists,
    -- Rights of tenants' roles do not count, which the admin has too.
    (b.nspowner = me.oid OR (me.rolsuper AND (o.rolsuper OR o.rolcreaterole))) IS TRUE AS registry_is_ours
FROM pg_database AS d
INNER JOIN pg_roles AS me ON me.rolname = current_user
LEFT JOIN pg_namespace AS p ON p.nspname = 'public'
LEFT JOIN pg_namespace AS b ON b.nspname = 'cloacina_admin'
LEFT JOIN pg_roles AS o ON o.oid = b.nspowner
LEFT JOIN pg_roles AS g ON g.rolname = $1
LEFT JOIN pg_roles AS r ON r.rolname = $2
WHERE d.datname = current_database()
