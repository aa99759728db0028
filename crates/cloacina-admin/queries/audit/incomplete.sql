SELECT
    CASE
        WHEN t.state = 'removing' THEN format('tenant %I is being removed', t.schema_name)
        WHEN t.role_oid IS NULL THEN format('role %I of tenant %I is gone', t.username, t.schema_name)
        WHEN t.schema_oid IS NULL THEN format('schema %I is gone', t.schema_name)
        ELSE format('role %I may not connect to the database', t.username)
    END AS subject,
    CASE
        WHEN t.state = 'removing' THEN 'call `remove_tenant` again'
        WHEN t.role_oid IS NULL OR t.schema_oid IS NULL THEN 'call `create_tenant` to make it anew, or `remove_tenant`'
        ELSE format('GRANT CONNECT ON DATABASE %I TO %I; GRANT %I TO %I', current_database(), s.group_role, s.group_role, t.username)
    END AS remedy
FROM tenant AS t
CROSS JOIN settings AS s
WHERE
    t.state = 'removing' OR t.role_oid IS NULL OR t.schema_oid IS NULL
    OR NOT has_database_privilege(t.role_oid, current_database(), 'CONNECT')
ORDER BY 1
