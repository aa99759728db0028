UPDATE {schema}.workers SET lock_key = $2 WHERE id = $1
