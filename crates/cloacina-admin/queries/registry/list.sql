SELECT t.schema_name, t.username, t.state, t.created_at, t.password_set_at
FROM cloacina_admin.tenants AS t
ORDER BY t.schema_name
