DELETE FROM cloacina_admin.tenants WHERE schema_name = $1
