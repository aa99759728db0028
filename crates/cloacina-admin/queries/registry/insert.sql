-- Waits for whoever inserts the same at the same time.
INSERT INTO cloacina_admin.tenants (schema_name, username) VALUES ($1, $2)
ON CONFLICT DO NOTHING
