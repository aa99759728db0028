SET LOCAL lock_timeout = {lock_timeout};
DROP SCHEMA {schema} CASCADE;
