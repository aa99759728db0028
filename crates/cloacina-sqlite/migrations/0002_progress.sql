-- How far a running attempt has come, as its body says.
ALTER TABLE attempts ADD COLUMN progress TEXT;
