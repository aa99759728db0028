-- Conveniences: the tenant may override each of them, and the engine relies on none.
ALTER ROLE {role} IN DATABASE {database} SET search_path = {schema}, pg_temp;
ALTER ROLE {role} IN DATABASE {database} SET statement_timeout = {statement_timeout};
ALTER ROLE {role} IN DATABASE {database} SET idle_in_transaction_session_timeout = {idle_timeout};
ALTER ROLE {role} IN DATABASE {database} SET synchronous_commit = on;
