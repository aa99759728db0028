-- Precedes every question: $1 is the group of all tenants, $2 the login of shared pools, if there is one.
WITH settings AS (
    SELECT $1::text AS group_role, $2::text AS runtime_role
),

tenant AS (
    SELECT
        t.schema_name, t.username, t.state,
        r.oid AS role_oid, n.oid AS schema_oid, n.nspowner AS owner_oid
    FROM {tenants} AS t
    LEFT JOIN pg_roles AS r ON r.rolname = t.username
    LEFT JOIN pg_namespace AS n ON n.nspname = t.schema_name
),

-- Tenants and the group of all.
confined AS (
    SELECT t.role_oid AS oid, t.username AS name FROM tenant AS t WHERE t.role_oid IS NOT NULL
    UNION
    SELECT r.oid, r.rolname::text FROM pg_roles AS r, settings AS s WHERE r.rolname = s.group_role
)

