-- What we made goes by its name, so that whatever else is there, and whatever depends on it elsewhere, refuses.
DROP TABLE IF EXISTS
    {schema}.attempts,
    {schema}.tasks,
    {schema}.events,
    {schema}.executions,
    {schema}.workflows,
    {schema}.workers,
    {schema}.cloacina_migrations;
DROP SCHEMA {schema}
