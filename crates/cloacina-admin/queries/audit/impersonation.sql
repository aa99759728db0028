-- Who may act as a tenant: the admin, and the login of shared pools if it has to say so each time. Version 15 keeps no
-- option of a membership, so the login's own property counts.
SELECT DISTINCT
    format('role %I %s role %I', r.rolname, CASE WHEN h.inherits THEN 'has all rights of' ELSE 'may become' END, t.username)
        AS subject,
    format('REVOKE %I FROM %I GRANTED BY %s', t.username, r.rolname, m.grantor::regrole) AS remedy
FROM tenant AS t
INNER JOIN pg_auth_members AS m ON m.roleid = t.role_oid
INNER JOIN pg_roles AS r ON r.oid = m.member
CROSS JOIN settings AS s
CROSS JOIN LATERAL (
    SELECT coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, r.rolinherit) AS inherits
) AS h
WHERE
    r.rolname <> current_user
    AND m.member IS DISTINCT FROM t.owner_oid
    AND (r.rolname IS DISTINCT FROM s.runtime_role OR h.inherits)
ORDER BY 1
