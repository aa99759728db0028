SELECT expires_at FROM {schema}.workers WHERE id = $1
