-- Heard when the transaction commits, once however often it was told: by those who work in the schema, and by those who look
-- after all schemas. It is a hint to look: the name of a schema is all that it carries, and a number by which its sender knows
-- it for its own.
SELECT pg_notify('cloacina_' || $1, $2), pg_notify('cloacina', $1)
