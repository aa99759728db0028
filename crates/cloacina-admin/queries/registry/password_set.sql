UPDATE cloacina_admin.tenants SET password_set_at = clock_timestamp() WHERE schema_name = $1
