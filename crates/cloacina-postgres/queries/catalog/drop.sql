-- First a lock for which others wait who want to drop it as well. What we made goes by its name, so that whatever else is there, and
-- whatever depends on it elsewhere, refuses.
LOCK TABLE {schema}.cloacina_migrations IN ACCESS EXCLUSIVE MODE;
DROP TABLE IF EXISTS
    {schema}.attempts,
    {schema}.tasks,
    {schema}.events,
    {schema}.executions,
    {schema}.workflows,
    {schema}.workers,
    {schema}.cloacina_migrations;
DROP SCHEMA {schema};
