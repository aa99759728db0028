-- The admin's registry. A row of them is also the lock of its tenant: nobody else can reach it.
CREATE SCHEMA cloacina_admin;

CREATE TABLE cloacina_admin.tenants (
    schema_name text NOT NULL PRIMARY KEY,
    username text NOT NULL UNIQUE,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'removing')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    password_set_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
