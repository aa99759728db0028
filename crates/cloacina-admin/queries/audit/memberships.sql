SELECT DISTINCT
    format('role %I is in role %I', i.name, r.rolname) AS subject,
    format('REVOKE %I FROM %I GRANTED BY %s', r.rolname, i.name, m.grantor::regrole) AS remedy
FROM pg_auth_members AS m
INNER JOIN confined AS i ON i.oid = m.member
INNER JOIN pg_roles AS r ON r.oid = m.roleid
CROSS JOIN settings AS s
WHERE r.rolname <> s.group_role OR m.admin_option
ORDER BY 1
