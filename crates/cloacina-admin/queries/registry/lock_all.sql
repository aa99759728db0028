-- Conflicts with itself only: tenants are created meanwhile.
LOCK TABLE cloacina_admin.tenants IN SHARE UPDATE EXCLUSIVE MODE
