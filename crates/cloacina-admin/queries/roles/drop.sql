-- A tenant can own nothing but large objects, which it may make at any time.
DROP OWNED BY {role} CASCADE;
DROP ROLE {role};
