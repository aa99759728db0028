SELECT t.schema_name, t.username, t.state
FROM cloacina_admin.tenants AS t
WHERE t.schema_name = $1 OR t.username = $2
ORDER BY t.schema_name
FOR UPDATE
