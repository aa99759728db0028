-- A statement that grants or revokes nothing is no error, so the outcome is read back.
SELECT
    has_database_privilege($2, current_database(), 'CONNECT') AS connects,
    (
        has_schema_privilege($2, $1, 'USAGE')
        AND NOT has_schema_privilege($2, $1, 'CREATE')
        AND has_table_privilege($2, format('%I.executions', $1), 'INSERT')
        AND NOT has_table_privilege($2, format('%I.cloacina_migrations', $1), 'INSERT, UPDATE, DELETE')
    ) AS fits
