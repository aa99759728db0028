-- How far a running attempt has come, as its body says.
ALTER TABLE {schema}.attempts ADD COLUMN progress text;
