-- Allowed values as comparisons. For an `IN` with more than two values SQLite builds a table of them, for every row that it
-- checks: two fifths of the time that a commit took.
--
-- Data stays as it is, so the text of the tables is changed in place, as SQLite's documentation of `ALTER TABLE` says in its
-- section 7. Others learn of it by the version of the schema, which comes with the view.
PRAGMA writable_schema = ON;

UPDATE sqlite_schema
SET
    sql = replace(
        replace(
            sql,
            'status IN (''pending'', ''running'', ''paused'', ''completed'', ''failed'', ''cancelled'')',
            'status = ''running'' OR status = ''completed'' OR status = ''pending'' OR status = ''paused'' '
            || 'OR status = ''failed'' OR status = ''cancelled'''
        ),
        'status IN (''completed'', ''failed'', ''cancelled'')',
        'status = ''completed'' OR status = ''failed'' OR status = ''cancelled'''
    )
WHERE type = 'table' AND name = 'executions';

UPDATE sqlite_schema
SET
    sql = replace(
        replace(
            sql,
            'state IN (''completed'', ''failed'', ''skipped'', ''cancelled'')',
            'state = ''completed'' OR state = ''failed'' OR state = ''skipped'' OR state = ''cancelled'''
        ),
        'skip_kind IN (''condition'', ''upstream_skipped'', ''upstream_failed'')',
        'skip_kind = ''condition'' OR skip_kind = ''upstream_skipped'' OR skip_kind = ''upstream_failed'''
    )
WHERE type = 'table' AND name = 'tasks';

UPDATE sqlite_schema
SET
    sql = replace(
        sql,
        'state IN (''running'', ''failed'', ''lost'', ''released'')',
        'state = ''running'' OR state = ''failed'' OR state = ''lost'' OR state = ''released'''
    )
WHERE type = 'table' AND name = 'attempts';

CREATE VIEW changed AS SELECT 1;
DROP VIEW changed;

PRAGMA writable_schema = RESET;
