UPDATE cloacina_admin.tenants SET state = 'removing' WHERE schema_name = $1
