SELECT count(*) AS peers FROM {schema}.workers WHERE id <> $1
