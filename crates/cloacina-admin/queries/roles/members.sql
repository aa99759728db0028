SELECT DISTINCT m.rolname::text AS member
FROM pg_auth_members AS a
INNER JOIN pg_roles AS r ON r.oid = a.roleid
INNER JOIN pg_roles AS m ON m.oid = a.member
WHERE r.rolname = $1 AND m.rolname <> current_user
ORDER BY 1
