-- What runs with the rights of whoever writes there. The engine has none of it.
SELECT
    format('trigger %I is on %I.%I', g.tgname, t.schema_name, c.relname) AS subject,
    format('DROP TRIGGER %I ON %I.%I', g.tgname, t.schema_name, c.relname) AS remedy
FROM tenant AS t
INNER JOIN pg_class AS c ON c.relnamespace = t.schema_oid
INNER JOIN pg_trigger AS g ON g.tgrelid = c.oid AND NOT g.tgisinternal
UNION ALL
SELECT
    format('rule %I is on %I.%I', g.rulename, t.schema_name, c.relname),
    format('DROP RULE %I ON %I.%I', g.rulename, t.schema_name, c.relname)
FROM tenant AS t
INNER JOIN pg_class AS c ON c.relnamespace = t.schema_oid
INNER JOIN pg_rewrite AS g ON g.ev_class = c.oid
UNION ALL
SELECT
    format('function %s is in schema %I', p.oid::regprocedure, t.schema_name),
    format('DROP ROUTINE %s', p.oid::regprocedure)
FROM tenant AS t
INNER JOIN pg_proc AS p ON p.pronamespace = t.schema_oid
UNION ALL
SELECT
    format('%I.%I belongs to role %s', t.schema_name, c.relname, c.relowner::regrole),
    format('ALTER TABLE %I.%I OWNER TO %s', t.schema_name, c.relname, t.owner_oid::regrole)
FROM tenant AS t
INNER JOIN pg_class AS c ON c.relnamespace = t.schema_oid
WHERE c.relowner <> t.owner_oid
ORDER BY 1
