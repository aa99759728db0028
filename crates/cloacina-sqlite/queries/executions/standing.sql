-- Where executions stand that do not run under the owner and epoch that they are expected to have, and those that are
-- there although none is expected (no owner). Of one that is not there comes no status.
--
-- One row for all: on its way to the caller a row costs more than finding it does.
SELECT
    json_group_array(json_array(hex(j.column1), e.status, hex(e.owner), e.epoch)) AS standings
FROM (VALUES (?, ?, ?)) AS j
LEFT JOIN executions AS e ON e.id = j.column1
WHERE
    CASE
        WHEN j.column2 IS NULL THEN e.id IS NOT NULL
        ELSE e.owner IS NOT j.column2 OR e.epoch <> j.column3 OR e.status <> 'running'
    END
