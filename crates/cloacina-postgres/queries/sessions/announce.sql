-- There is work in the schema, which has an owner. Who looks after all schemas wants to know, should the owner die.
SELECT pg_notify('cloacina', $1)
