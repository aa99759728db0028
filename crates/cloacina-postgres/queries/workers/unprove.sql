-- Its session has ended and it lives: until it has its lock again, the lease alone tells.
UPDATE {schema}.workers SET lock_key = NULL WHERE id = ANY($1)
