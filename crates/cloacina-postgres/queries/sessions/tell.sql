-- Heard when the transaction commits, once however often it was told. It carries nothing: it is a hint to look.
SELECT pg_notify($1, '')
